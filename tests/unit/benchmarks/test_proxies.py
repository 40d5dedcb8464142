"""The pictures of benchmarks/proxies."""

from __future__ import annotations

from pathlib import Path

from benchmarks.proxies.plots import write


def test_pictures_have_every_service_and_kind_of_load_and_the_same_data_give_the_same_picture(tmp_path: Path) -> None:
    """A service that wasn't installed is left out."""
    run = {"cpu_ms_per_call": {"service": 2.0}, "latency_ms": {"p50": 1.0, "p90": 2.0, "p99": 9.0}}
    found = {kind: {name: [run, run] for name in ("direct", "pointsman", "litellm")} for kind in ("JSON, 1 caller", "stream of 32")}
    files = write(found, tmp_path / "proxies.md")
    assert [file.name for file in files] == ["proxies-cpu.svg", "proxies-latency.svg"]
    before = [file.read_bytes() for file in files]
    assert all(kind.encode() in picture for picture in before for kind in ("JSON, 1 caller", "stream of 32", "litellm"))
    assert not any(b"routellm" in picture for picture in before)
    assert [file.read_bytes() for file in write(found, tmp_path / "proxies.md")] == before
