"""`python -m tests.security.secret_scan [--accept]` fails on what looks like a secret in a tracked file and isn't known not to be one.

What looks like one and isn't (hashes of data, keys that open nothing) is listed in .secrets.baseline, by hash; `--accept` writes it anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

ROOT: Final = Path(__file__).parents[2]
BASELINE: Final = ".secrets.baseline"
_LEFT_OUT: Final = (".safetensors", ".png", ".svg", "_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi", BASELINE)
"""Not text, or generated from what is looked at."""
_FEW: Final = 100
"""Files that are looked at one by one: more are in forked processes, of which one that is forked beside threads may never end."""
Found = dict[str, list[dict[str, Any]]]


def tracked(root: Path) -> list[str]:
    """The files that git tracks, or would with the next `git add`, and that hold text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted(name for name in set(names) if not name.endswith(_LEFT_OUT) and (root / name).is_file())


def scanned(root: Path, names: Sequence[str]) -> Found:
    """By file, what looks like a secret there: its type, its hash and its line, never itself."""
    secrets = SecretsCollection(root=str(root))
    with default_settings():
        if len(names) > _FEW:
            secrets.scan_files(*names)
        else:
            for name in names:
                secrets.scan_file(name)
        found: Found = secrets.json()
    return found


def unknown(found: Found, baseline: Found) -> list[str]:
    """`file:line type` of each that the baseline doesn't have in that file, wherever it stands there."""
    return [
        f"{name}:{each['line_number']} {each['type']}"
        for name, every in sorted(found.items())
        for each in every
        if (each["type"], each["hashed_secret"]) not in {(old["type"], old["hashed_secret"]) for old in baseline.get(name, [])}
    ]


def known_secrets(baseline: Path) -> Found:
    """What the file lists as not being secrets."""
    known: Found = json.loads(baseline.read_text())
    return known


def as_baseline(found: Found) -> str:
    """The file's text; without line numbers, so that it changes only with what it lists."""
    kept = ("type", "hashed_secret")
    entries = {name: sorted(({key: each[key] for key in kept} for each in every), key=str) for name, every in sorted(found.items())}
    return json.dumps(entries, indent=1) + "\n"


def main(arguments: Iterable[str], root: Path = ROOT) -> int:
    """1 where something looks like a secret."""
    names = tracked(root)
    found = scanned(root, names)
    if "--accept" in arguments:
        (root / BASELINE).write_text(as_baseline(found))
    for each in (new := unknown(found, known_secrets(root / BASELINE))):
        sys.stderr.write(f"{each}: looks like a secret; if it isn't one: python -m tests.security.secret_scan --accept\n")
    sys.stdout.write(f"secret scan: {len(names)} files, {sum(map(len, found.values()))} known not to be secrets, {len(new)} new\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
