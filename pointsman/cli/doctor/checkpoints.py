"""Whether checkpoints are whole, without torch: by the hash in their config, and by what their weights' header says of the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from pointsman.cli.doctor.finding import Finding, ok, problem, skipped
from pointsman.cli.services import NoCheckout, checkout_root
from pointsman.runtime.settings import Settings

_LENGTH: Final = 8
_LONGEST_HEADER: Final = 100 * 2**20
_TO_HASH: Final = 512 * 2**20
_HERE: Final = Path(".")


def checkpoints(settings: Settings) -> list[Finding]:
    """A finding for each strategy that has a checkpoint."""
    try:
        root = checkout_root()
    except NoCheckout:
        root = None
    found = []
    for name, strategy in settings.strategies.items():
        check = f"checkpoint of {name}"
        if strategy.checkpoint:
            folder = Path(strategy.checkpoint).expanduser()
            found.append(_looked_at(check, folder) if folder.is_dir() else _not_a_folder(check, strategy.checkpoint))
        elif root and (shipped := root / "scorers" / name / "checkpoint").is_dir():
            found.append(_looked_at(check, shipped))
    return found


def _not_a_folder(check: str, checkpoint: str) -> Finding:
    if checkpoint.count("/") == 1 and not checkpoint.startswith(("/", ".", "~")):
        return skipped(check, f"{checkpoint} is of the hub: it is downloaded when the strategy first starts")
    return problem(check, f"{checkpoint} is no folder here", f"correct {check.replace('checkpoint of ', 'strategies.')}.checkpoint")


def _looked_at(check: str, folder: Path) -> Finding:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        return problem(check, f"there is no *.safetensors in {folder}", "restore the folder, or train the strategy anew")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for file in weights:
            if wrong := _wrong(file):
                return problem(check, f"{file} {wrong}", "restore it (git checkout, or a new download)")
        return _by_hash(check, weights[0], config)
    except OSError as error:
        return problem(check, f"{error.filename} can't be read: {error.strerror}", "restore the folder, or change its owner")
    except (ValueError, AttributeError):
        return problem(check, f"{folder / 'config.json'} isn't an object of JSON", "restore it")


def _by_hash(check: str, weights: Path, config: dict[str, object]) -> Finding:
    expected = config.get("weights_sha256")
    if not isinstance(expected, str) or weights.stat().st_size > _TO_HASH:
        return ok(check, f"{weights.parent.name if weights.parent != _HERE else weights.parent} is whole, by the length of its weights")
    with weights.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != expected:
            return problem(check, f"{weights} isn't what its config.json was made for: another SHA-256", "restore both of them together")
    return ok(check, f"{config.get('name', weights.parent.name)}, whole by its SHA-256")


def _wrong(file: Path) -> str:
    """What is wrong with a safetensors file; empty where its length is the one that its header says."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH), "little")
        if size < _LENGTH or length > min(size - _LENGTH, _LONGEST_HEADER):
            return "isn't a safetensors file (one of Git LFS that wasn't fetched?)"
        try:
            tensors = json.loads(opened.read(length))
            end = max((each["data_offsets"][1] for name, each in tensors.items() if name != "__metadata__"), default=0)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return "isn't a safetensors file"
    return "" if size == _LENGTH + length + end else f"has {size:,} bytes and not {_LENGTH + length + end:,}: it isn't whole"
