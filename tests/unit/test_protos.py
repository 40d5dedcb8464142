"""The committed stubs are those of the committed contracts."""

from __future__ import annotations

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_generating_the_stubs_again_changes_nothing(tmp_path: Path) -> None:
    """`make protos` into an empty folder gives byte for byte what is committed."""
    subprocess.run(["make", "-s", "-o", "install", "protos", f"OUT={tmp_path}"], cwd=_ROOT, check=True, capture_output=True)
    generated = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*_pb2*")}
    committed = {
        path.relative_to(_ROOT): path.read_bytes() for path in (_ROOT / "pointsman").rglob("*_pb2*") if "__pycache__" not in path.parts
    }
    assert generated
    assert generated == committed
