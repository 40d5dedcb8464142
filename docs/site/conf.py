"""The site, by Sphinx: its sources are the repository's own Markdown files where they lie, read as they are where it is hosted."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers.shell import BashLexer
from sphinx import addnodes
from sphinx.application import Sphinx

from docs.site.navigation import HOME, ROOT, pages, parts

project = "Pointsman"
version = re.findall(r'__version__ = "(.+)"', (ROOT / "pointsman/__init__.py").read_text(encoding="utf-8"))[0]
extensions = ["myst_parser", "docs.site.files"]
root_doc = HOME
source_suffix = {".md": "markdown"}
include_patterns = [f"{page}.md" for page in pages()]
# Sphinx looks through every folder that it isn't told to leave out.
exclude_patterns = ["**/node_modules", *({path.name for path in ROOT.iterdir()} - {pattern.split("/")[0] for pattern in include_patterns})]
highlight_language = "text"

myst_heading_anchors = 6
myst_enable_extensions = ["gfm_autolink", "strikethrough"]
# What MyST adds to Markdown, and nobody else reads.
myst_disable_syntax = ["myst_role", "myst_target", "myst_block_break", "myst_line_comment", "front_matter"]

html_theme = "furo"
html_title = f"{project} {version}"
html_favicon = "../../gateway/page/points.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_use_index = False

# `make test-links`
linkcheck_ignore = [r"https?://(localhost|127\.0\.0\.1)"]
linkcheck_timeout = 10
linkcheck_rate_limit_timeout = 30
linkcheck_allow_unauthorized = True


def _add_navigation(app: Sphinx, page: Any) -> None:
    """To the first page, where Markdown has nothing for it."""
    if app.env.docname != HOME:
        return
    for part in parts():
        entries = [(None, name) for name in part.pages]
        what = {"parent": HOME, "caption": part.name, "rawcaption": part.name, "entries": entries, "includefiles": list(part.pages)}
        how = {"hidden": True, "titlesonly": True, "includehidden": False, "glob": False, "maxdepth": 1, "numbered": 0}
        page[0] += nodes.compound("", addnodes.toctree("", **what, **how), classes=["toctree-wrapper"])


def _add_index(app: Sphinx, failure: Exception | None) -> None:
    """The first page under the name that browsers and servers open."""
    if failure is None and app.builder.format == "html":
        shutil.copy(Path(app.outdir) / f"{HOME}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """For Sphinx."""
    app.add_lexer("env", BashLexer)
    app.connect("doctree-read", _add_navigation, priority=100)
    app.connect("build-finished", _add_index)
