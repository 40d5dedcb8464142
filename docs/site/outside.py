"""`python -m docs.site.outside`: asks every address outside that a page links to, by Sphinx's linkcheck.

Ends with 1 where an address is gone: its server says so, or its page hasn't the part that the link names. An address that can't be
reached from here, or whose server answers with anything else, is told, and is no failure.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from docs.site.navigation import ROOT

Outcome = Literal["reached", "gone", "not reached"]
_FOLDER: Final = ROOT / "build/links"
_GONE: Final = re.compile(r"(404|410) |Anchor .* not found")
_CAUSE: Final = re.compile(r".*Caused by (\w+).*")
"""What requests wraps in three sentences."""


def outcome(link: Mapping[str, object]) -> Outcome:
    """Of a link as linkcheck writes it down: `status` and `info`."""
    if link["status"] in ("working", "redirected"):
        return "reached"
    return "gone" if link["status"] == "broken" and _GONE.match(str(link["info"])) else "not reached"


def report(links: Iterable[Mapping[str, object]]) -> tuple[str, int]:
    """What to print, and the exit code."""
    told = sorted(
        (outcome(link), f"{link['filename']}:{link['lineno']}", str(link["uri"]), _CAUSE.sub(r"\1", str(link["info"]))) for link in links
    )
    lines = [f"{what}: {where} {uri} {info}".rstrip() for what, where, uri, info in told if what != "reached"]
    counts = [f"{sum(each[0] == what for each in told)} {what}" for what in ("reached", "gone", "not reached")]
    return "\n".join([*lines, ", ".join(counts)]) + "\n", int(any(each[0] == "gone" for each in told))


def main() -> int:
    """Raises `FileNotFoundError` where linkcheck wrote nothing down."""
    options = ["-q", "-E", "-b", "linkcheck", "-c", "docs/site", "-d", str(_FOLDER / "read")]
    command = [sys.executable, "-m", "sphinx", *options, ".", str(_FOLDER)]
    subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.DEVNULL)  # noqa: S603
    written = [json.loads(line) for line in (_FOLDER / "output.json").read_text(encoding="utf-8").splitlines()]
    text, code = report(link for link in written if str(link["uri"]).startswith("http") and (link["status"] != "ignored" or link["info"]))
    sys.stdout.write(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
