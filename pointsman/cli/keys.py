"""`pointsman keys`: makes API keys for the gateway's keys file.

What a command needs is imported inside it, so that `--help` stays quick.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

_FORMATS = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"]


def build() -> typer.Typer:
    """The command with its subcommands."""
    keys = typer.Typer(help="API keys for the gateway (gateway.keys_file in the settings).", no_args_is_help=True)
    keys.callback()(lambda: None)
    keys.command("new")(new)
    return keys


def new(
    name: Annotated[str, typer.Argument(help="What logs and metrics call the caller: of a-z, 0-9, dot, underscore and dash.")],
    expires: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="When it stops counting: 2027-01-31T00:00:00Z, or a day, which is in UTC.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="The keys file to add the entry to; it is begun where there is none.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, the key in it, and nothing else.")] = False,
) -> None:
    """Make a key: it is shown once, on standard output, and kept nowhere. Its entry for the keys file has only its SHA-256."""
    from datetime import UTC
    from json import dumps

    from pointsman.cli.exits import USAGE, CommandFailed
    from pointsman.runtime.keys_file import append_entry, entry_text, new_key
    from pointsman.runtime.settings_file import SettingsError

    until = expires.replace(tzinfo=UTC) if expires and not expires.tzinfo else expires
    try:
        key, entry = new_key(name, until)
        if file:
            append_entry(file, entry)
    except (ValueError, SettingsError) as error:
        raise CommandFailed(str(error), USAGE) from None
    if json:
        ends = entry.expires.isoformat() if entry.expires else None
        typer.echo(dumps({"key": key, "name": entry.name, "sha256": entry.sha256[0], "expires": ends, "file": str(file) if file else None}))
        return
    typer.echo(key)
    typer.echo(f"Its entry is in {file}." if file else f"Add to the keys file, below `keys:`:\n\n{entry_text(entry)}", err=True)
