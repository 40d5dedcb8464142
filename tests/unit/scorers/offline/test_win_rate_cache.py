"""Kept win rates: taken for the same model and prompts alone, never trusted when damaged, and never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pointsman.runtime.errors import UnknownStrategy
from pointsman.runtime.settings import Settings, StrategySettings
from scorers.offline.calibrate import main as calibrate
from scorers.offline.evaluate import main
from scorers.offline.scored import Progress, Scored
from scorers.offline.sources import Here, Model, win_rates
from scorers.offline.win_rate_cache import Prompts, WinRateCache

_MODEL = {"strategy": "mf", "checkpoint": "mf@sha256:1"}
_PROMPTS = Prompts.of(["a", "b", "c"])
_SCORED = Scored("mf", "mf@sha256:1", "e@sha256:2", [0.1, 1 / 3, 1.0])


def _cache(folder: Path, said: list[str], most_bytes: int = 1 << 20) -> WinRateCache:
    return WinRateCache(folder, said.append, most_bytes=most_bytes)


def test_win_rates_come_back_to_the_last_bit(tmp_path: Path) -> None:
    """Whose they are, too."""
    said: list[str] = []
    cache = _cache(tmp_path / "new", said)
    assert cache.get(_MODEL, _PROMPTS) is None
    cache.put(_MODEL, _PROMPTS, _SCORED)
    assert cache.get(_MODEL, _PROMPTS) == _SCORED
    assert said == []


@pytest.mark.parametrize("other", [["b", "a", "c"], ["a", "b"], ["ab", "", "c"], ["a", "b", "d"]])
def test_other_prompts_or_another_order_are_others(tmp_path: Path, other: list[str]) -> None:
    """And so is another model."""
    cache = _cache(tmp_path, [])
    cache.put(_MODEL, _PROMPTS, _SCORED)
    assert cache.get(_MODEL, Prompts.of(other)) is None
    assert cache.get({**_MODEL, "checkpoint": "mf@sha256:3"}, _PROMPTS) is None


def _flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def _relabelled(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"mf@sha256:1", b"mf@sha256:9"))


def _foreign(file: Path) -> None:
    save_file({"strong_win_rates": np.array([0.1, 0.2, 0.3])}, file)


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "a bit": _flipped,
    "its checkpoint": _relabelled,
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("hello"),
    "without a hash": _foreign,
    "of a later file": lambda file: _cache(file.parent, []).put(_MODEL, _PROMPTS, Scored("mf", "x", "", [2.0, float("nan"), 0.0])),
    "of fewer prompts": lambda file: _cache(file.parent, []).put(_MODEL, _PROMPTS, Scored("mf", "x", "", [0.5])),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_told_and_written_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """Never trusted."""
    said: list[str] = []
    cache = _cache(tmp_path, said)
    cache.put(_MODEL, _PROMPTS, _SCORED)
    (file,) = tmp_path.iterdir()
    damage(file)
    assert cache.get(_MODEL, _PROMPTS) is None
    assert len(said) == 1
    assert str(file) in said[0]
    cache.put(_MODEL, _PROMPTS, _SCORED)
    assert cache.get(_MODEL, _PROMPTS) == _SCORED


def test_what_was_not_asked_for_longest_goes(tmp_path: Path) -> None:
    """Past the size that is allowed; what was just written stays."""
    one = Scored("mf", "c", "", [0.5])
    many = [Prompts.of([str(n)]) for n in range(4)]
    for n, prompts in enumerate(many[:3]):
        before = set(tmp_path.iterdir())
        _cache(tmp_path, []).put(_MODEL, prompts, one)
        (file,) = set(tmp_path.iterdir()) - before
        os.utime(file, (n, n))
    small = _cache(tmp_path, [], most_bytes=3 * file.stat().st_size)
    assert small.get(_MODEL, many[0]) == one
    small.put(_MODEL, many[3], one)
    assert [small.get(_MODEL, prompts) for prompts in many] == [one, None, one, one]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """It is told."""
    (tmp_path / "file").write_text("")
    said: list[str] = []
    cache = _cache(tmp_path / "file", said)
    cache.put(_MODEL, _PROMPTS, _SCORED)
    assert cache.get(_MODEL, _PROMPTS) is None
    assert "can't be kept" in said[0]


@dataclass
class _Remembering:
    """A source that remembers what it was asked for."""

    at_once: bool = False
    version: str = "1"
    asked: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def models(self, strategies: Sequence[str]) -> Mapping[str, Model]:
        return {name: {"strategy": name, "version": self.version} for name in strategies if name != "random"}

    def score(self, strategies: Sequence[str], prompts: Sequence[str], progress: Progress) -> list[Scored]:
        self.asked.append((list(strategies), list(prompts)))
        progress(len(strategies) * len(prompts))
        return [Scored(name, f"{name}@{self.version}", "", [len(prompt) / 10 for prompt in prompts]) for name in strategies]


def test_what_is_replaced_while_it_is_scored_is_not_kept(tmp_path: Path) -> None:
    """Its win rates may be of both."""

    class Replaced(_Remembering):
        def score(self, strategies: Sequence[str], prompts: Sequence[str], progress: Progress) -> list[Scored]:
            self.version += "1"
            return super().score(strategies, prompts, progress)

    win_rates(["mf"], ["x"], Replaced(), _cache(tmp_path, []), lambda _: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at_once", [False, True])
def test_only_what_is_not_kept_is_scored(tmp_path: Path, at_once: bool) -> None:
    """`random` each time, since it draws anew; another version all; progress ends at the whole."""
    source, cache, told = _Remembering(at_once), _cache(tmp_path, []), list[int]()
    first = win_rates(["mf", "random"], ["x", "yy"], source, cache, told.append)
    source.asked.clear()
    assert win_rates(["random", "bert", "mf"], ["x", "yy"], source, cache, told.append)[2] == first[0]
    assert [name for names, _ in source.asked for name in names] == ["random", "bert"]
    assert told[-1] == max(told) == 6
    source.asked.clear()
    assert win_rates(["mf", "bert"], ["x", "yy"], source, cache, told.append)[0] == first[0]
    assert source.asked == []
    source.version = "2"
    assert win_rates(["mf"], ["x", "yy"], source, cache, told.append)[0].checkpoint == "mf@2"
    win_rates(["mf"], ["x", "yy"], source, None, told.append)
    assert len(source.asked) == 2


def test_a_strategy_without_a_checkpoint_is_not_kept_and_an_unknown_one_is_named() -> None:
    """Seeded or not: it costs nothing to draw again."""
    here = Here(Settings(strategies={"random": StrategySettings(options={"seed": 1})}))
    assert set(here.models(["random", "mf", "sw_ranking"])) == {"mf", "sw_ranking"}
    with pytest.raises(UnknownStrategy, match="nope"):
        here.models(["mf", "nope"])


def test_a_second_run_builds_no_router(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It doesn't even load torch; the figures are the same, calibrate shares them, and --no-cache neither reads nor writes."""
    (tmp_path / "some.csv").write_text("prompt,weak,strong\n" + "".join(f"what is {n}?,{n % 2},1\n" for n in range(20)))
    command = ["--data", str(tmp_path / "some.csv"), "--strategies", "mf", "--draws", "5", "--json", "--cache", str(tmp_path / "kept")]
    assert main([*command, "--no-cache"]) == 0
    assert not (tmp_path / "kept").exists()
    assert main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(list((tmp_path / "kept").iterdir())) == 1
    program = (
        "import sys; from scorers.offline.evaluate import main; code = main(sys.argv[1:]); sys.exit(code + 7 * ('torch' in sys.modules))"
    )
    again = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True)
    assert (again.returncode, again.stdout.splitlines()) == (0, printed[1:])
    assert json.loads(printed[0]) == json.loads(printed[1])
    shared = [
        "--data",
        str(tmp_path / "some.csv"),
        "--strategies",
        "mf",
        "--cache",
        str(tmp_path / "kept"),
        "--out",
        str(tmp_path / "records"),
    ]
    assert calibrate(shared) == 0
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert "what is" not in str((next((tmp_path / "kept").iterdir())).read_bytes())
