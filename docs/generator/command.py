"""Every command and option, for docs/command.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

import typer.main

from docs.generator.markdown import anchor, table
from pointsman.cli.app import build_app
from pointsman.cli.options import ToController, ToGateway

_SHARED: Final = (("a gateway", ToGateway), ("controllers", ToController))
# Of typer itself, on the command alone; --help is on each.
_LEFT_OUT: Final = frozenset({"help"})
_HEAD: Final = ("", "", "default")


def reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    root: Any = typer.main.get_command(build_app())
    own = _rows(root, root.params)
    parts = ["## Every command and option\n", *table(_HEAD, own), ""]
    for name, command in _commands(root, "pointsman"):
        parts += _section(name, command)
    for whom, kind in _SHARED:
        named = {field.name for field in fields(kind)}
        command = next(each for _, each in _commands(root, "pointsman") if named <= {param.name for param in each.params})
        parts += [f"### To reach {whom}", "", *table(_HEAD, _rows(command, [param for param in command.params if param.name in named])), ""]
    return "\n".join(parts).rstrip() + "\n"


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
    said = [f"And those [to reach {whom}]({anchor(f'To reach {whom}')})." for whom, _ in shared]
    if command.context_settings.get("ignore_unknown_options") and not command.params:
        said = [f"Its options are those of `{name} --help`, in a checkout."]
    rows = _rows(command, [param for param in command.params if param.name not in elsewhere])
    explained = [" ".join(each.split()) for each in inspect.cleandoc(command.help or "").split("\n\n")]
    return [
        f"### {name}",
        "",
        *(line for each in explained for line in (each, "")),
        *table(_HEAD, rows),
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
