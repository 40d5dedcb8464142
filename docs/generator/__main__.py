"""Makes the references anew; what stands above them in their documents stays.

python -m docs.generator      (make reference)
"""

from __future__ import annotations

import sys

from docs.generator.pages import PAGES, with_reference


def main() -> int:
    """Writes every document that has a reference. The exit code."""
    for path, made in PAGES.items():
        path.write_text(with_reference(path.read_text(encoding="utf-8"), made()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
