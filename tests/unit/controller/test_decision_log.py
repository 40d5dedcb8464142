"""The decision log by itself: whole lines, rotation, and a disk that is full or hangs."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from controller.decision_log import DecisionLog
from pointsman.runtime.controller_settings import DecisionLogSettings
from pointsman.runtime.settings_file import SettingsError
from pointsman.v1 import routing_pb2


def _receipt(number: int) -> routing_pb2.Receipt:
    return routing_pb2.Receipt(
        request_id=f"r-{number}",
        decision=routing_pb2.Decision(strategy="mf", tier=routing_pb2.TIER_WEAK, model="größe\n"),
        usage=routing_pb2.Usage(prompt_tokens=7, completion_tokens=3),
        error="BACKEND_CUT",
    )


def _log(path: Path | None, *, max_bytes: int = 1 << 20, keep: int = 5, waiting: int = 10_000) -> tuple[DecisionLog, CollectorRegistry]:
    registry = CollectorRegistry()
    return DecisionLog(DecisionLogSettings(path=path, max_bytes=max_bytes, keep=keep), registry, waiting=waiting), registry


def _lines(*files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _dropped(registry: CollectorRegistry, why: str) -> float:
    return registry.get_sample_value("pointsman_decision_log_dropped_total", {"why": why}) or 0


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def test_every_receipt_is_a_line_once_the_log_is_closed(tmp_path: Path) -> None:
    """Appended to what was there, by the contract's names; numbers are numbers."""
    file = tmp_path / "decisions.jsonl"
    file.write_text('{"request_id":"before"}\n')
    decisions, _ = _log(file)
    decisions.start()
    for number in range(500):
        decisions.add(_receipt(number))
    await decisions.close()
    first, *lines = _lines(file)
    assert first == {"request_id": "before"}
    assert [line["request_id"] for line in lines] == [f"r-{number}" for number in range(500)]
    assert lines[0].pop("time").endswith("+00:00")
    assert lines[0] == {
        "request_id": "r-0",
        "decision": {"strategy": "mf", "tier": "TIER_WEAK", "model": "größe\n"},
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        "error": "BACKEND_CUT",
    }


async def test_files_are_rotated_by_size_and_the_latest_are_kept(tmp_path: Path) -> None:
    """No file grows over the limit, and what is kept is the end, without a gap."""
    file = tmp_path / "decisions.jsonl"
    decisions, _ = _log(file, max_bytes=4096, keep=2)
    decisions.start()
    for number in range(200):
        decisions.add(_receipt(number))
    await decisions.close()
    kept = [tmp_path / "decisions.jsonl.2", tmp_path / "decisions.jsonl.1", file]
    assert sorted(os.listdir(tmp_path)) == sorted([".decisions.jsonl.lock", *(each.name for each in kept)])
    assert all(each.stat().st_size <= 4096 for each in kept)
    numbers = [int(line["request_id"].removeprefix("r-")) for line in _lines(*kept)]
    assert numbers == list(range(numbers[0], 200))


async def test_a_full_disk_is_counted_told_once_and_survived(tmp_path: Path) -> None:
    """Once there is room again the lines come again."""
    file = tmp_path / "decisions.jsonl"
    file.symlink_to("/dev/full")
    with structlog.testing.capture_logs() as said:
        decisions, registry = _log(file)
        decisions.start()
        for number in range(20):
            decisions.add(_receipt(number))
        await _until(lambda: _dropped(registry, "disk") == 20)
        (tmp_path / "new").symlink_to(tmp_path / "room")
        (tmp_path / "new").replace(file)
        decisions.add(_receipt(20))
        await decisions.close()
    assert [line["request_id"] for line in _lines(tmp_path / "room")] == ["r-20"]
    assert [each["event"] for each in said] == ["decision log can't be written, receipts are dropped", "decision log is written again"]
    assert said[0]["error"] == "No space left on device"


async def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """A file may end at the disk's last byte, and what follows later is a line by itself."""
    file = tmp_path / "decisions.jsonl"
    decisions, registry = _log(file)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    decisions.start()
    try:
        decisions.add(_receipt(0))
        await _until(lambda: file.exists() and file.stat().st_size > 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, before[1]))
        decisions.add(_receipt(1))
        await _until(lambda: _dropped(registry, "disk") == 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    decisions.add(_receipt(2))
    await decisions.close()
    assert [line["request_id"] for line in _lines(file)] == ["r-0", "r-2"]


async def test_a_disk_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """Nobody reads the pipe, so the writer waits for ever: requests go on, and are counted."""
    file = tmp_path / "decisions.jsonl"
    os.mkfifo(file)
    with structlog.testing.capture_logs() as said:
        decisions, registry = _log(file, waiting=10)
        decisions.start()
        for number in range(100):
            decisions.add(_receipt(number))
        assert 89 <= _dropped(registry, "queue") <= 90
        lost = int(_dropped(registry, "queue"))
        # The pipe holds more than what waits.
        reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        await _until(lambda: decisions._queue.empty())
        decisions.add(_receipt(100))
        await decisions.close()
    assert len(os.read(reader, 1 << 16).splitlines()) == 101 - lost
    os.close(reader)
    assert [each["event"] for each in said] == ["decision log can't keep up, receipts are dropped", "decision log keeps up again"]


async def test_without_a_path_nothing_is_kept() -> None:
    """Off unless it is asked for."""
    decisions, registry = _log(None)
    decisions.start()
    decisions.add(_receipt(0))
    await decisions.close()
    assert _dropped(registry, "queue") == 0


def test_a_path_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    """A missing folder is a mistake in the settings, and no full disk."""
    for wrong in (tmp_path / "none" / "decisions.jsonl", tmp_path):
        with pytest.raises(SettingsError, match=r"controller\.decision_log\.path"):
            _log(wrong)[0].start()


async def test_a_file_belongs_to_one_controller(tmp_path: Path) -> None:
    """A second one is refused by name until the first has ended; a device is nobody's."""
    file = tmp_path / "decisions.jsonl"
    first, _ = _log(file)
    first.start()
    with pytest.raises(SettingsError, match=r"another process writes .*decisions\.jsonl; each controller needs its own"):
        _log(file)[0].start()
    other, _ = _log(tmp_path / "decisions-2.jsonl")
    other.start()
    await first.close()
    again, _ = _log(file)
    again.start()
    for each in (again, other):
        await each.close()
    both = [_log(Path("/dev/null"))[0] for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        await each.close()
