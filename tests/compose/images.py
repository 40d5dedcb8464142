"""The images as they were built: what they add to their base, who runs in them, what of them could be written to, and no secret."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pointsman import __version__
from tests.compose.engine import ENGINE, run
from tests.compose.stack import images
from tests.security.secret_scan import BASELINE, ROOT, known_secrets, scanned, unknown

NAMES: Final = [f"pointsman-{kind}:{__version__}" for kind in ("gateway", "controller", "scorers", "local-llm")]
BASE: Final = "docker.io/library/python:3.11-slim-bookworm"
MOST_ADDED_MB: Final = 120
"""What gateway and controller may add to their base image."""
_SUSPICIOUS: Final = re.compile(r"(^|/)(\.git|\.env|\.netrc|\.pypirc|pip\.conf|id_rsa|id_ed25519|.*\.key|keys\.yaml|\.aws|\.ssh)$")
_IN_ENVIRONMENT: Final = re.compile(r"^[A-Z_]*(KEY|TOKEN|PASSWORD|SECRET)[A-Z_]*=.", re.IGNORECASE)
_FOR_ALL: Final = ["/tmp", "/var/tmp", "/run/lock", "/dev/shm"]
"""Which the base image has, for anybody."""


def report() -> Iterator[str]:
    """Markdown; raises `SystemExit` for what isn't as it must be."""
    told = images([BASE, *NAMES])
    base = told[BASE]
    yield "## Images\n"
    yield "| image | MB | above its base | layers above it | user | all may write to | looks like a secret | read-only, no capability |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in NAMES:
        image = told[name]
        added = (image["Size"] - base["Size"]) / 1e6
        layers = len(image["RootFS"]["Layers"]) - len(base["RootFS"]["Layers"])
        writable, secrets, runs = _writable(name), [*_secret_files(name), *_secret_settings(image)], _runs(name)
        user = image["Config"]["User"]
        yield (
            f"| {name} | {image['Size'] / 1e6:.0f} | {added:.0f} | {layers} | {user} | {', '.join(writable) or 'nothing'} |"
            f" {', '.join(secrets) or 'nothing'} | {runs} |"
        )
        if writable or secrets or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
            raise SystemExit(f"{name}: see its line above")
        if added > MOST_ADDED_MB and name.split(":")[0] in ("pointsman-gateway", "pointsman-controller"):
            raise SystemExit(f"{name}: more than {MOST_ADDED_MB} MB above its base")


def _writable(name: str) -> list[str]:
    """What everybody may write to, beside what the base image has, and what the image's own user may write to outside those."""
    find = f"find / -xdev {' '.join(f'-path {path} -prune -o' for path in _FOR_ALL)} -perm -0002 ! -type l ! -type c -print"
    return run(ENGINE, "run", "--rm", "--user", "0:0", "--entrypoint", "sh", name, "-c", find).stdout.split()


def _secret_files(name: str) -> list[str]:
    """By names, anywhere but in the installed packages (whose tests have keys of their own), and by what stands in our files."""
    created = run(ENGINE, "create", name).stdout.strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            run(ENGINE, "cp", f"{created}:/opt/pointsman/app/.", folder)
            files = [str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
            found = unknown(scanned(Path(folder), [file for file in files if not file.endswith(_NOT_TEXT)]), known_secrets(ROOT / BASELINE))
        with subprocess.Popen([ENGINE, "export", created], stdout=subprocess.PIPE) as exported:
            listed = subprocess.run(["tar", "-t"], stdin=exported.stdout, capture_output=True, text=True, check=True).stdout.splitlines()
    finally:
        run(ENGINE, "rm", created)
    return found + [file for file in listed if _SUSPICIOUS.search(file.rstrip("/")) and not _of_the_base(file)]


_NOT_TEXT: Final = (".safetensors", ".gguf", ".npz", "_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def _of_the_base(file: str) -> bool:
    return file.startswith(("etc/", "usr/", "var/")) or "/site-packages/" in file


def _secret_settings(image: Mapping[str, Any]) -> list[str]:
    """Variables and build steps that carry one."""
    steps = [str(step.get("created_by", "")) for step in image.get("History") or []]
    return [variable.split("=")[0] for variable in image["Config"]["Env"] or [] if _IN_ENVIRONMENT.match(variable)] + [
        "a build step" for step in steps if re.search(r"https?://[^/\s]+:[^/\s]+@", step)
    ]


def _runs(name: str) -> str:
    """Whether the service's own module starts so: it says how it is called."""
    hardened = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"]
    done = run(ENGINE, "run", "--rm", *hardened, name, "--help", check=False)
    if done.returncode or "usage:" not in done.stdout:
        raise SystemExit(f"{name} doesn't start with a read-only root and without capabilities: {done.stderr[-400:]}")
    return "starts"
