"""A block as somebody types it: in a shell or in Python, in the checkout, with the environment's commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.documents.blocks import Block

_LONGEST_S: Final = 180
_OTHERS: Final = ("openai", "pointsman.routellm")
"""What a program imports that lives in the clients' environment."""
_CURLRC: Final = "fail-with-body\n"
"""By itself curl ends well whatever the service answers; so it ends with 22 for 400 and above, and prints the answer as without it."""


def typed(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """How it ended, and what it printed. Raises `subprocess.TimeoutExpired` after three minutes."""
    (folder / ".curlrc").write_text(_CURLRC)
    prefix = Path(sys.prefix)
    if block.language == "python":
        other = any(f"import {name}" in block.text or f"from {name}" in block.text for name in _OTHERS)
        command = [str(prefix / "clients/bin/python" if other else sys.executable), "-c", block.text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", block.text]
    own = {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(folder), "CURL_HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
