"""`pointsman settings`: what is made of the settings file.

What a command needs is imported inside it, so that `--help` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build() -> typer.Typer:
    """The command with its subcommands."""
    settings = typer.Typer(help="What is made of the settings file.", no_args_is_help=True)
    settings.callback()(lambda: None)
    settings.command("render")(render)
    return settings


def render(
    settings: Annotated[Path | None, typer.Option(help="The settings file.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; else standard output.")] = None,
) -> None:
    """Render what Kubernetes needs: a ConfigMap with the settings as pods read them, and a RayService with an application per strategy."""
    from pointsman.cli.exits import USAGE, CommandFailed
    from pointsman.rendering.render import render as rendered
    from pointsman.runtime.settings_file import SettingsError, load_settings

    try:
        loaded = load_settings(settings)
        text = rendered(loaded)
        if out:
            out.write_text(text, encoding="utf-8")
    except SettingsError as error:
        raise CommandFailed(str(error), USAGE) from None
    except OSError as error:
        raise CommandFailed(f"--out: {out}: {error.strerror}", USAGE) from None
    if loaded.uses_local_llms:
        typer.echo("no backends are named: controllers will look for the local LLMs on their own pods' loopback", err=True)
    if not out:
        typer.echo(text, nl=False)
