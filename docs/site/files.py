"""Links to files and folders that are no pages lead to a view of them inside the site, as they do where the repository is hosted."""

from __future__ import annotations

import posixpath
import subprocess
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx

from docs.site.navigation import ROOT

_VIEW: Final = "view-of-a-file"
_LONGEST: Final = 100_000
"""Bytes of a file that is shown; of a longer one the list of its folder has the name alone."""


class _Views:
    """What pages link to, found while they are written, and then written itself."""

    def __init__(self) -> None:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
        self._files = frozenset(listed.stdout.splitlines())
        self._folders = frozenset(above for path in self._files for above in _above(path))
        self._linked: set[str] = set()

    def mark(self, app: Sphinx, page: Any) -> None:
        """Before Sphinx copies what a page links to: each such link names its file or folder, from the root."""
        for node in [*page.findall(addnodes.pending_xref), *page.findall(addnodes.download_reference)]:
            if node.get("reftype") != "myst" or node.get("refdomain") == "doc":
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(app.env.docname), node["reftarget"]))
            if path in self._files or path in self._folders:
                names = {"refdomain": "", "reftype": _VIEW, "reftarget": path, "refdoc": app.env.docname, "refexplicit": True}
                node.replace_self(addnodes.pending_xref("", *node.children, **names))

    def resolve(self, app: Sphinx, env: Any, node: Any, content: Any) -> Any:
        """A link that was marked becomes one to the view."""
        if node["reftype"] != _VIEW:
            return None
        self._linked.add(node["reftarget"])
        uri = app.builder.get_relative_uri(node["refdoc"], _page(node["reftarget"]))
        return nodes.reference("", "", content, refuri=uri, internal=True)

    def write(self, app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
        """What was linked to, and what a folder among it holds."""
        for path in sorted({each for linked in self._linked for each in self._within(linked)}):
            body = self._listing(app, path) if path in self._folders else _shown(app, path)
            if body:
                yield _page(path), {"title": path, "body": f"<h1>{escape(path)}</h1>\n{body}"}, "page.html"

    def _within(self, path: str) -> set[str]:
        return {path, *(each for each in self._files | self._folders if each.startswith(f"{path}/") and not self._is_page(each))}

    def _is_page(self, path: str) -> bool:
        return path.endswith(".md")

    def _listing(self, app: Sphinx, folder: str) -> str:
        items = []
        for path in sorted(each for each in self._files | self._folders if posixpath.dirname(each) == folder):
            name = escape(posixpath.basename(path)) + ("/" if path in self._folders else "")
            if path in self._folders or self._is_page(path) or _text(path):
                target = path.removesuffix(".md") if self._is_page(path) else _page(path)
                name = f'<a href="{app.builder.get_relative_uri(_page(folder), target)}">{name}</a>'
            items.append(f"<li>{name}</li>")
        return f"<ul>{''.join(items)}</ul>"


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _page(path: str) -> str:
    return f"files/{path}"


def _text(path: str) -> str:
    """Empty where the file isn't shown."""
    content = (ROOT / path).read_bytes()
    try:
        return content.decode() if len(content) <= _LONGEST else ""
    except UnicodeDecodeError:
        return ""


def _shown(app: Sphinx, path: str) -> str:
    text = _text(path)
    if not text:
        return ""
    try:
        language = get_lexer_for_filename(path).aliases[0]
    except (ClassNotFound, IndexError):
        language = "text"
    highlighted: str = app.builder.highlighter.highlight_block(text, language, force=True)
    return f'<div class="highlight-{language} notranslate">{highlighted}</div>'


def setup(app: Sphinx) -> dict[str, Any]:
    """For Sphinx."""
    views = _Views()
    app.connect("doctree-read", views.mark, priority=100)
    app.connect("missing-reference", views.resolve)
    app.connect("html-collect-pages", views.write)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
