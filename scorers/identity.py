"""What a strategy's win rates depend on, as hashes: the same ones give the same win rates for the same prompts.

The checkpoint and the embedder have versions of their own. What is left is told by a scorer's version: the same checkpoint gives
slightly other win rates by another engine, on another processor, or by other options.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import pointsman
from pointsman.runtime.settings import StrategySettings

_PACKAGES: Final = ("numpy", "tokenizers", "torch", "transformers")
_NO_MATTER: Final = frozenset({"cache", "embedding_cache"})
"""Options that say where or how much is kept, and change no win rate."""
_NOT_READ: Final = frozenset({"README.md", "figures.json"})
"""Of a checkpoint: what no router reads."""


def version_of(strategy: str, settings: StrategySettings) -> str:
    """Pointsman's version, and after a `+` 12 hex digits over what the win rates depend on beside checkpoint and embedder."""
    held = {
        "strategy": strategy,
        "options": _with_contents({name: value for name, value in settings.options.items() if name not in _NO_MATTER}),
        "threads": settings.threads,
        "processor": _processor(),
        "gpu": _gpu() if settings.num_gpus > 0 else "",
        "packages": [_installed(name) for name in _PACKAGES],
        "code": _code_sha256(),
    }
    return f"{pointsman.__version__}+{hashlib.sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()[:12]}"


def folder_sha256(folder: Path) -> str:
    """64 hex digits over what is in a folder of a checkpoint, an embedder or a tokenizer. Raises `OSError`."""
    return _files_sha256(folder, (file for file in folder.rglob("*") if file.is_file() and file.name not in _NOT_READ))


def _with_contents(value: Any) -> Any:
    """An option that names a folder counts by what is in it, wherever it lies."""
    if isinstance(value, Mapping):
        return {name: _with_contents(each) for name, each in value.items()}
    if isinstance(value, str | Path):
        with suppress(OSError, RuntimeError):  # a text that can't be a path, such as one that is too long
            return folder_sha256(folder) if (folder := Path(value).expanduser()).is_dir() else value
    return value


def _code_sha256() -> str:
    """Of the code that scores, so that another way of computing is another version before a release has said so."""
    root = Path(__file__).parent
    offline = root / "offline"
    return _files_sha256(root, (file for file in root.rglob("*.py") if offline not in file.parents))


def _files_sha256(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        with file.open("rb") as opened:
            digest.update(f"{file.relative_to(root).as_posix()}\0{hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _processor() -> str:
    """What it can compute, which `auto` engines and libraries choose by; its name where the system doesn't say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return " ".join(sorted(next(told, "").split())) or f"{platform.machine()} {platform.processor()}"


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
