"""The reference of every command and option, as it stands in docs/command.md.

python -m pointsman.cli.reference docs/command.md      (make reference)
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import typer.main

from pointsman.cli.app import build_app
from pointsman.cli.options import ToController, ToGateway

_BEGIN: Final = "<!-- The rest is made by `make reference`. -->\n"
_SHARED: Final = (("a gateway", ToGateway), ("controllers", ToController))
# Of typer itself, on the command alone; --help is on each.
_LEFT_OUT: Final = frozenset({"help"})


def reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    root: Any = typer.main.get_command(build_app())
    own = _rows(root, root.params)
    parts = ["## Every command and option\n", *_table(own), ""]
    for name, command in _commands(root, "pointsman"):
        parts += _section(name, command)
    for whom, kind in _SHARED:
        named = {field.name for field in fields(kind)}
        command = next(each for _, each in _commands(root, "pointsman") if named <= {param.name for param in each.params})
        parts += [f"### To reach {whom}", "", *_table(_rows(command, [param for param in command.params if param.name in named])), ""]
    return "\n".join(parts).rstrip() + "\n"


def with_reference(text: str) -> str:
    """The document with its reference made anew; all before it stays."""
    return text.partition(_BEGIN)[0] + _BEGIN + "\n" + reference()


def _commands(group: Any, above: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


def _section(name: str, command: Any) -> list[str]:
    names = {param.name for param in command.params}
    shared = [(whom, kind) for whom, kind in _SHARED if {field.name for field in fields(kind)} <= names]
    elsewhere = {field.name for _, kind in shared for field in fields(kind)}
    said = [f"And those [to reach {whom}](#to-reach-{whom.replace(' ', '-')})." for whom, _ in shared]
    if command.context_settings.get("ignore_unknown_options") and not command.params:
        said = [f"Its options are those of `{name} --help`, in a checkout."]
    rows = _rows(command, [param for param in command.params if param.name not in elsewhere])
    explained = [" ".join(each.split()) for each in inspect.cleandoc(command.help or "").split("\n\n")]
    return [
        f"### {name}",
        "",
        *(line for each in explained for line in (each, "")),
        *_table(rows),
        *([""] if rows else []),
        *said,
        *([""] if said else []),
    ]


def _rows(command: Any, params: Sequence[Any]) -> list[tuple[str, str, str]]:
    context = typer.Context(command)
    return [
        (_named(param, context), (param.help or "").replace("|", "\\|"), _usual(param)) for param in params if param.name not in _LEFT_OUT
    ]


def _named(param: Any, context: typer.Context) -> str:
    if param.param_type_name == "argument":
        return f"`{param.display_name_raw}`"
    if param.is_flag:
        return f"`{', '.join(param.opts)}`"
    kind = str(param.display_type(context)).replace(" range", "").replace("list[str]", "str").replace("|", "\\|")
    return f"`{', '.join(param.opts)} {kind}`{' …' if param.multiple else ''}"


def _usual(param: Any) -> str:
    if param.required:
        return "needed"
    is_flag = param.param_type_name == "option" and param.is_flag
    return "" if is_flag or param.default is None or callable(param.default) else f"`{getattr(param.default, 'value', param.default)}`"


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    return ["| | | default |", "|---|---|---|", *(f"| {name} | {said} | {usual} |" for name, said, usual in rows)] if rows else []


def main(arguments: Sequence[str]) -> int:
    """Writes the reference into the files that are named. The exit code."""
    for path in map(Path, arguments):
        path.write_text(with_reference(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
