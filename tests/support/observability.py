"""The alert rules and where they are, and Debian's promtool."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

_ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = _ROOT / "deploy/observability"
PROMTOOL: Final = shutil.which("promtool") or shutil.which("promtool", path=_ROOT / ".venv/bin")
RULES: Final[list[dict[str, Any]]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
needs_promtool: Final = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool isn't installed (Debian: prometheus; make debian takes it alone)"
)
