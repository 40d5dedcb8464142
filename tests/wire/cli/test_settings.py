"""`pointsman settings check | show | schema`, as a shell runs them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.wire.cli.test_commands import pointsman_command


async def test_check_says_whether_the_settings_are_valid(tmp_path: Path) -> None:
    """Exit code 0 or 2; file, line and key on standard error; warnings are no failure."""
    file = tmp_path / "s.yaml"
    file.write_text("gateway:\n  rest_port: 7070\n  keys_file: none.yaml\n")
    done = await pointsman_command("settings", "check", "--settings", str(file))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("warning: gateway.keys_file: the file none.yaml can't be read")
    assert done.out.endswith(f"{file}: valid; warnings: 1\n")
    file.write_text("gateway:\n  rest_prot: 7070\n")
    done = await pointsman_command("settings", "check", "--settings", str(file))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"{file}:2: gateway.rest_prot: unknown key; did you mean 'rest_port'?\n"
    done = await pointsman_command("settings", "check", "--settings", str(file), "--json")
    assert (done.code, done.err) == (2, "")
    assert (json.loads(done.out)["valid"], len(json.loads(done.out)["errors"])) == (False, 1)


async def test_show_prints_what_is_in_force(tmp_path: Path) -> None:
    """As YAML with where it comes from, or as JSON."""
    file = tmp_path / "s.yaml"
    file.write_text("gateway: {rest_port: 7070}\n")
    done = await pointsman_command("settings", "show", "--settings", str(file), "--changed")
    assert (done.code, done.out, done.err) == (0, f"# {file}\ngateway:\n  rest_port: 7070\n", "")
    done = await pointsman_command("settings", "show", "--settings", str(file), "--json")
    values = json.loads(done.out)
    assert (values["gateway"]["rest_port"], values["gateway"]["grpc_port"]) == (7070, 50051)
    assert yaml.safe_load((await pointsman_command("settings", "show", "--settings", str(file))).out) == values


async def test_schema_is_a_json_schema() -> None:
    """For editors."""
    done = await pointsman_command("settings", "schema")
    assert json.loads(done.out)["properties"]["gateway"]
