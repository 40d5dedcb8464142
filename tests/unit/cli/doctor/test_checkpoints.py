"""Checkpoints are looked at without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import scorers
from pointsman.cli.doctor.checkpoints import checkpoints
from pointsman.cli.doctor.finding import Finding, State
from pointsman.runtime.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the one that ships."""
    copy = tmp_path / "mf"
    shutil.copytree(Path(scorers.__file__).parent / "mf" / "checkpoint", copy)
    return copy


def found(checkpoint: object) -> Finding:
    """What is found of mf's."""
    [finding] = checkpoints(Settings.model_validate({"strategies": {"mf": {"checkpoint": str(checkpoint)}, "random": {}}}))
    return finding


def test_those_that_ship_are_whole() -> None:
    """By their hash; random has none."""
    all_of_them = checkpoints(Settings())
    assert [each.check for each in all_of_them] == [f"checkpoint of {name}" for name in ("mf", "sw_ranking", "bert", "causal_llm")]
    assert {each.state for each in all_of_them} == {State.OK}
    assert "whole by its SHA-256" in all_of_them[0].said


def test_what_is_not_whole_is_a_problem(folder: Path) -> None:
    """Cut off, of Git LFS, of another training, gone."""
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    assert found(folder).state is State.OK
    for content, said in (
        (whole[:-1], f"has {len(whole) - 1:,} bytes and not {len(whole):,}: it isn't whole"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "isn't a safetensors file"),
        (b"", "isn't a safetensors file"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "isn't what its config.json was made for"),
    ):
        weights.write_bytes(content)
        finding = found(folder)
        assert (finding.state, said in finding.said, bool(finding.advice)) == (State.PROBLEM, True, True)
    weights.unlink()
    assert "there is no *.safetensors" in found(folder).said


def test_a_config_that_cannot_be_read_is_a_problem(folder: Path) -> None:
    """One without a hash is judged by the length of the weights."""
    config = folder / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({name: value for name, value in values.items() if name != "weights_sha256"}))
    assert "by the length of its weights" in found(folder).said
    for text in ("{", "[]"):
        config.write_text(text)
        assert (found(folder).state, "isn't an object of JSON" in found(folder).said) == (State.PROBLEM, True)
    config.unlink()
    assert "can't be read" in found(folder).said


def test_one_of_the_hub_is_not_looked_at(tmp_path: Path) -> None:
    """It is downloaded later; a path that leads nowhere is a problem."""
    assert found("routellm/mf_gpt4_augmented").state is State.SKIPPED
    assert found(tmp_path / "none").state is State.PROBLEM
