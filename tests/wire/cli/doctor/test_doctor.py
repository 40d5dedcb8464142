"""`pointsman doctor`, as a shell runs it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from pointsman import __version__
from tests.support.product import free_ports
from tests.wire.cli.test_commands import pointsman_command


def written(folder: Path, **changes: object) -> Path:
    """Settings on free ports."""
    rest, gateway, controller, metrics, scorers, strong, weak = free_ports(7)
    settings = {
        "gateway": {"rest_port": rest, "grpc_port": gateway, "controllers": [f"127.0.0.1:{controller}"]},
        "controller": {"grpc_port": controller, "metrics_port": metrics, "scorers": f"127.0.0.1:{scorers}"},
        "scorers": {"grpc_port": scorers},
        "local_llm": {"strong_port": strong, "weak_port": weak},
        "records_dir": str(folder / "records"),
        **changes,
    }
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


async def test_nothing_wrong_is_exit_code_0(tmp_path: Path) -> None:
    """Whatever doesn't run yet is skipped, with how to start it."""
    done = await pointsman_command("doctor", "--settings", str(written(tmp_path)))
    assert (done.code, done.err) == (0, "")
    assert "→ pointsman up starts everything on this machine" in done.out
    assert done.out.splitlines()[-1].startswith("problems: 0")


async def test_a_problem_is_exit_code_1_and_says_what_to_do(tmp_path: Path) -> None:
    """A backend that isn't there and a keys file that isn't; in JSON every finding has its advice."""
    backend = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}
    file = written(tmp_path, backends={"strong": backend, "weak": backend})
    done = await pointsman_command("doctor", "--settings", str(file), "--json")
    found = json.loads(done.out)
    assert (done.code, done.err, found["version"], found["problems"]) == (1, "", __version__, 2)
    problems = [each for each in found["checks"] if each["state"] == "problem"]
    assert [each["check"] for each in problems] == ["backend strong", "backend weak"]
    assert all(each["said"] and each["advice"] for each in problems)


async def test_settings_that_cannot_be_used_are_a_problem(tmp_path: Path) -> None:
    """By line; what depends on them is skipped."""
    file = tmp_path / "settings.yaml"
    file.write_text("gatway: {}\n")
    done = await pointsman_command("doctor", "--settings", str(file))
    assert (done.code, done.err) == (1, "")
    assert f"{file}:1: gatway: unknown key; did you mean 'gateway'?" in done.out
    assert "it depends on the settings" in done.out
