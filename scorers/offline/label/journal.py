"""What has been asked and paid, a line of JSON each as it comes, so that a run that was cut off goes on where it was.

The first line says whose run it is (`Identity`). A last line that a crash tore is dropped; a damaged one elsewhere is refused.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from pydantic import ValidationError

from pointsman.runtime.settings_part import Part
from scorers.errors import InvalidData
from scorers.offline.label.costs import Spent, Tally
from scorers.offline.label.job import PAYERS, Identity, Job, Payer, payer

Line = TypeVar("Line", bound=Part)
_NAMES: Final[Mapping[str, str]] = {
    "prompts_sha256": "other prompts (data, sample or seed)",
    "judge_instructions_sha256": "other instructions for the judge (another release)",
}


class Entry(Part):
    """One call that was answered. `value` is the answer's text, or the verdict; None where the call's answer can't be used."""

    row: int
    stage: str
    value: str | float | None
    finish_reason: str
    spent: Spent
    at_most: float = 0.0
    """What the call might have cost; a limit counts it so where nobody knows."""


class Journal:
    """The file, held by one process at a time. `done` are the usable entries; `tallies` count all, also those of earlier runs,
    and `charged` is what a limit counts of them."""

    def __init__(self, file: Path, job: Job) -> None:
        """Opens or begins it. Raises `InvalidData` where it is another run's or damaged, and `OSError`."""
        self.done: dict[tuple[int, str], Entry] = {}
        self.tallies: dict[Payer, Tally] = {name: Tally() for name in PAYERS}
        self.charged = 0.0
        self._path = file
        self._whole = True
        # Answers may be as private as prompts.
        self._file = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        try:
            self._lock()
            self._read(job.identity)
        except BaseException:
            self._file.close()
            raise

    @property
    def is_empty(self) -> bool:
        """Nothing has been answered."""
        return not any(tally.calls for tally in self.tallies.values())

    def add(self, entry: Entry) -> None:
        """On the disk when this returns. Raises `OSError`, and then takes no more: the line may be torn."""
        if not self._whole:
            raise OSError(None, "an earlier line couldn't be written", str(self._path))
        self._write(entry.model_dump_json().encode() + b"\n")
        self._note(entry)

    def remove(self) -> None:
        """The run is complete, or never began."""
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.is_empty:
            self.remove()
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidData(f"{self._path}: another run is writing it; wait for it, or name another --out.") from None

    def _read(self, identity: Identity) -> None:
        whole, end, _ = self._file.read().rpartition(b"\n")
        if not end:
            self._file.truncate(0)
            self._file.seek(0)
            self._write(identity.model_dump_json().encode() + b"\n")
            return
        first, *lines = whole.split(b"\n")
        self._compare(self._parsed(Identity, first, 1), identity)
        for number, line in enumerate(lines, 2):
            self._note(self._parsed(Entry, line, number))
        self._file.truncate(len(whole) + len(end))
        self._file.seek(0, os.SEEK_END)

    def _parsed(self, kind: type[Line], line: bytes, number: int) -> Line:
        try:
            return kind.model_validate_json(line)
        except ValidationError:
            raise InvalidData(f"{self._path}: line {number}: no journal of this release; remove it, or name another --out.") from None

    def _compare(self, begun: Identity, now: Identity) -> None:
        for name in type(now).model_fields:
            then, here = getattr(begun, name), getattr(now, name)
            if then != here:
                what = _NAMES.get(name, f"{name.replace('_', ' ')} {then!r}, not {here!r}")
                raise InvalidData(f"{self._path}: begun with {what}; finish that run as it began, remove the file, or name another --out.")

    def _note(self, entry: Entry) -> None:
        self.tallies[payer(entry.stage)].add(entry.spent)
        self.charged += entry.at_most if entry.spent.cost is None else entry.spent.cost
        if entry.value is not None:
            self.done[entry.row, entry.stage] = entry

    def _write(self, line: bytes) -> None:
        self._whole = False
        left = memoryview(line)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self._whole = True
