"""Win rates kept on disk, so that a second look at the same prompts by the same checkpoint costs nothing. Numbers, never a prompt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pointsman.runtime.whole_files import PARTS, written_whole
from scorers.offline.scored import Scored

_FORMAT: Final = "1"
_MOST_BYTES: Final = 256 << 20  # 33 million win rates
_RATES: Final = "strong_win_rates"


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the cache knows of a list of prompts: how many they are, and their hash in their order."""

    count: int
    sha256: str

    @classmethod
    def of(cls, prompts: Sequence[str]) -> Self:
        """Each with its length before it, so that no two lists are one text."""
        digest = hashlib.sha256()
        for prompt in prompts:
            text = prompt.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(text), text))
        return cls(len(prompts), digest.hexdigest())


class WinRateCache:
    """A folder with a file for each strategy, model and list of prompts; past `most_bytes` those that weren't asked for longest go.

    It never fails: what can't be read or written is said in a sentence, and computed again the next time.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._say = say
        self._most_bytes = most_bytes

    def get(self, model: Mapping[str, str], prompts: Prompts) -> Scored | None:
        """The prompts' win rates, by what `model` says they depend on; None where there are none."""
        file = self._file(model, prompts)
        if not file.is_file():
            return None
        try:
            scored = _read(file, prompts.count)
            os.utime(file)
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            self._say(f"{file}: kept win rates that can't be used, so they are computed again: {_reason(error)}.")
            return None
        return scored

    def put(self, model: Mapping[str, str], prompts: Prompts, scored: Scored) -> None:
        """Keeps them for `get`."""
        file = self._file(model, prompts)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with written_whole(file) as opened:
                opened.write(_content(scored))
            self._remove_oldest(file)
        except OSError as error:
            self._say(f"{file}: win rates can't be kept: {error.strerror}.")

    def _file(self, model: Mapping[str, str], prompts: Prompts) -> Path:
        digest = hashlib.sha256(json.dumps([_FORMAT, dict(model), prompts.sha256], sort_keys=True).encode()).hexdigest()
        return self._folder / f"{digest[:40]}.safetensors"

    def _remove_oldest(self, kept: Path) -> None:
        """Two processes may do it at once; what a killed one left half-written counts too."""
        files = [*self._folder.glob("*.safetensors"), *self._folder.glob(PARTS)]
        found = [(file, stat) for file in files if (stat := _stat(file))]
        total = sum(stat.st_size for _, stat in found)
        for file, stat in sorted(found, key=lambda each: each[1].st_mtime_ns):
            if total > self._most_bytes and file != kept:
                file.unlink(missing_ok=True)
                total -= stat.st_size


def _content(scored: Scored) -> bytes:
    rates = np.array(scored.win_rates, dtype=np.float64)
    said = {"strategy": scored.strategy, "checkpoint": scored.checkpoint, "embedder": scored.embedder}
    content: bytes = save({_RATES: rates}, metadata=said | {"sha256": _sha256(said, rates.tobytes())})
    return content


def _read(file: Path, count: int) -> Scored:
    """Raises `ValueError`, `KeyError`, `SafetensorError`, `OSError` for anything but what was written."""
    with safe_open(file, framework="numpy") as opened:
        said: dict[str, Any] = dict(opened.metadata() or {})
        rates = opened.get_tensor(_RATES)
    if said.pop("sha256") != _sha256(said, rates.tobytes()):
        raise ValueError("its sha256 differs")
    if rates.dtype != np.float64 or rates.shape != (count,) or not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError("not a win rate for each prompt")
    return Scored(said["strategy"], said["checkpoint"], said["embedder"], rates.tolist())


def _sha256(said: Mapping[str, str], numbers: bytes) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode() + b"\0" + numbers).hexdigest()


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
