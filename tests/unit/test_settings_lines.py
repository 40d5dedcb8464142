"""Settings errors point at the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.runtime.settings_file import SettingsError, load_settings, repeated_keys, strange_variables
from pointsman.runtime.settings_lines import Lines

TWO_BACKENDS = "backends:\n  strong: &a\n    base_url: http://x/v1\n    model: m\n  weak: *a\n"


def told(folder: Path, text: str) -> list[str]:
    """What is said of the text as a settings file, from behind the folder's name on."""
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("log:\n  level: info\ngateway:\n  rest_prot: 7\n", "s.yaml:4: gateway.rest_prot: unknown key; did you mean 'rest_port'?"),
        ("\n\nstrategies:\n  MF: {}\n", "s.yaml:4: strategies.MF.[key]: must be a name of lower-case letters"),
        ("backends:\n  a:\n    model: m\n", "s.yaml:2: backends.a.base_url: Field required"),
        (f"{TWO_BACKENDS}pairs:\n  default:\n    strong: big\n    weak: weak\n", "s.yaml:8: settings: pairs.default.strong: no backend"),
        (f"{TWO_BACKENDS}    # a comment\n  third:\n    <<: *a\n    modle: n\n", "s.yaml:9: backends.third.modle: unknown key"),
        ("gateway: {tls: {client_certificates: required}}\n", "s.yaml:1: gateway.tls.cert_file: Field required"),
        (
            "policies:\n  p:\n    threshold: 0.5\n    strategies:\n      - mf\n      - M F\n",
            "s.yaml:6: policies.p.strategies.1: must be a name",
        ),
    ],
)
def test_file_line_and_key_are_named(tmp_path: Path, text: str, said: str) -> None:
    """The key's own line, else that of the nearest one around it; what is wrong between parts has the line of what it names."""
    assert told(tmp_path, text)[0].startswith(said)


def test_every_fault_has_its_line(tmp_path: Path) -> None:
    """Not only the first."""
    lines = told(tmp_path, "gateway:\n  rest_port: many\n  grpc_port: -1\n")
    assert [line.split(": ")[0] for line in lines] == ["s.yaml:2", "s.yaml:3"]


def test_what_the_environment_sets_is_its_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, and not a line of the file, whose own value is right."""
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "many")
    assert told(tmp_path, "gateway:\n  rest_port: 1\n")[0].startswith(
        "POINTSMAN_GATEWAY__REST_PORT: gateway.rest_port: must be a whole number"
    )
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "2")
    assert told(tmp_path, "gateway:\n  rest_port: 1\n  x: 1\n")[0].startswith("s.yaml:3: gateway.x")


def test_a_value_is_never_told(tmp_path: Path) -> None:
    """Somebody may have written a key into it."""
    for text in ("backends: {a: {base_url: sk-secret, model: m}}", "gateway: {rest_port: sk-secret}", "log: {level: sk-secret}"):
        assert "sk-secret" not in "".join(told(tmp_path, text))


def test_a_mapping_inside_itself_ends() -> None:
    """YAML can say that; the lines of what is outside are there."""
    assert Lines("a: &x\n  b: *x\nc: 1\n").of(["c"]) == 3


def test_keys_that_stand_twice_are_told(tmp_path: Path) -> None:
    """YAML takes the last without a word; what is merged in doesn't count."""
    path = tmp_path / "s.yaml"
    path.write_text("log: {level: info}\na: &a {x: 1}\nb:\n  <<: *a\n  x: 2\nlog: {level: debug}\n")
    assert repeated_keys(path) == [f"{path}:6: log: stands in the file twice; this one counts"]


def test_variables_that_set_nothing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the nearest part."""
    monkeypatch.setenv("POINTSMAN_GATWAY__REST_PORT", "7")
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "7")
    monkeypatch.setenv("POINTSMAN_API_KEY", "x")
    assert strange_variables() == ["the environment variable POINTSMAN_GATWAY__REST_PORT sets nothing; did you mean POINTSMAN_GATEWAY__…?"]
