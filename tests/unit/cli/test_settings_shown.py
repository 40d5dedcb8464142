"""`pointsman settings show` and `schema`: what is in force, and what an editor is told."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import yaml

from pointsman.cli.settings_schema import settings_schema
from pointsman.cli.settings_shown import HIDDEN, shown
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import load_settings
from tests.unit.cli.test_example_settings import EXAMPLE, with_examples_on


def written(folder: Path, text: str) -> Settings:
    """The text's settings."""
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_what_is_shown_is_a_file_of_the_same_settings(tmp_path: Path) -> None:
    """All of it, and with `changed` what differs alone."""
    settings = written(tmp_path, with_examples_on(EXAMPLE.read_text()))
    for changed in (False, True):
        again = yaml.safe_dump(shown(settings, changed=changed))
        assert written(tmp_path, again) == settings


def test_changed_names_what_differs_and_nothing_else(tmp_path: Path) -> None:
    """A mapping takes the place of the default one, so each of its names stays; in them only what differs does."""
    assert shown(Settings(), changed=True) == {}
    settings = written(tmp_path, "gateway: {rest_port: 7070, grpc_port: 50051}\nstrategies: {random: {}, mf: {threads: 2}}\n")
    assert shown(settings, changed=True) == {"gateway": {"rest_port": 7070}, "strategies": {"random": {}, "mf": {"threads": 2}}}


def test_secrets_that_are_written_out_are_hidden(tmp_path: Path) -> None:
    """They belong in key_env or key_file, whose names are shown."""
    one = "{base_url: 'http://user:pass@x/v1', model: m, key_env: K, headers: {X-Api-Key: s1, X-Title: t}, query: {sig: a, auth_token: s2}}"
    settings = written(tmp_path, f"backends: {{strong: {one}, weak: {one}}}")
    backend = shown(settings)["backends"]["strong"]
    assert backend["base_url"] == f"http://{HIDDEN}@x/v1"
    assert (backend["headers"], backend["query"]) == ({"X-Api-Key": HIDDEN, "X-Title": "t"}, {"sig": "a", "auth_token": HIDDEN})
    assert backend["key_env"] == "K"


def test_the_schema_takes_what_the_settings_take() -> None:
    """The example file, with its examples in force; not an unknown key or a port that there isn't."""
    schema = settings_schema()
    validator = jsonschema_rs.Draft202012Validator(schema)
    for text in (EXAMPLE.read_text(), with_examples_on(EXAMPLE.read_text())):
        assert [str(error) for error in validator.iter_errors(yaml.safe_load(text))] == []
    wrongs: list[dict[str, object]] = [{"gatway": {}}, {"gateway": {"rest_port": 70000}}, {"strategies": {"mf": {"on_failure": "maybe"}}}]
    for wrong in wrongs:
        assert not validator.is_valid(wrong)
    assert json.loads(json.dumps(schema)) == schema


def test_the_schema_explains() -> None:
    """With what stands below each key in the source."""
    strategy = settings_schema()["$defs"]["StrategySettings"]["properties"]
    assert strategy["max_batch"]["description"] == "Prompts that the model takes at once."
    assert strategy["checkpoint"]["description"].startswith("A checkpoint directory, or a repository of the hub as")
