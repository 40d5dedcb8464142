"""`pointsman keys new`, as a shell runs it."""

from __future__ import annotations

import json
from pathlib import Path

from pointsman.runtime.keys_file import digest_of, load_keys
from tests.wire.cli.test_commands import pointsman_command


async def test_a_key_is_shown_once_and_the_file_has_its_hash_alone(tmp_path: Path) -> None:
    """On standard output the key and nothing else; a second key of one name is refused, and shows none."""
    file = tmp_path / "keys.yaml"
    done = await pointsman_command("keys", "new", "support-bot", "--expires", "2027-01-31", "--file", str(file))
    key = done.out.strip()
    assert (done.code, done.out) == (0, f"{key}\n")
    (entry,) = load_keys(file).keys
    assert (entry.name, entry.sha256) == ("support-bot", [digest_of(key)])
    assert key not in done.err
    again = await pointsman_command("keys", "new", "support-bot", "--file", str(file))
    assert (again.code, again.out) == (2, "")
    assert "there already" in again.err


async def test_a_key_in_json_is_one_object(tmp_path: Path) -> None:
    """With its entry beside it."""
    done = await pointsman_command("keys", "new", "a", "--expires", "2027-01-31", "--json")
    made = json.loads(done.out)
    assert (done.code, done.err, made["name"], made["sha256"], made["file"]) == (0, "", "a", digest_of(made["key"]), None)
    assert made["expires"] == "2027-01-31T00:00:00+00:00"


async def test_without_a_file_the_entry_is_shown_to_be_added() -> None:
    """On standard error, so that a pipe gets the key alone."""
    done = await pointsman_command("keys", "new", "a")
    assert digest_of(done.out.strip()) in done.err
    assert (await pointsman_command("keys", "new", "Not A Name")).code == 2
