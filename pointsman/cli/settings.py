"""`pointsman settings`: whether the settings are right, what is in force, their schema, and what is made of them.

What a command needs is imported inside it, so that `--help` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.exits import USAGE, CommandFailed

File = Annotated[Path | None, typer.Option(help="The settings file; else the one that POINTSMAN_SETTINGS names.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, and nothing else.")]


def build() -> typer.Typer:
    """The command with its subcommands."""
    settings = typer.Typer(help="Check, show or render the settings.", no_args_is_help=True)
    settings.callback()(lambda: None)
    settings.command("check")(check)
    settings.command("show")(show)
    settings.command("schema")(schema)
    settings.command("render")(render)
    return settings


def check(settings: File = None, json: Json = False) -> None:
    """Say whether the settings are valid, and what in them is hardly meant: files that can't be read, keys that stand twice.

    What isn't valid is exit code 2, with file, line and key; a warning is none.
    """
    from json import dumps

    from pointsman.cli.suspicions import missing, suspicions
    from pointsman.runtime.settings_file import SettingsError, load_settings, setting_variables, settings_path

    file, warnings, errors = settings_path(settings), list[str](), list[str]()
    try:
        loaded = load_settings(file)
        warnings = [*missing(loaded), *suspicions(loaded, file)]
    except SettingsError as error:
        errors = str(error).splitlines()
    if json:
        found = {"file": str(file) if file else None, "variables": setting_variables(), "valid": not errors}
        typer.echo(dumps({**found, "errors": errors, "warnings": warnings}, ensure_ascii=False))
        if errors:
            raise typer.Exit(USAGE)
    if errors:
        raise CommandFailed("\n".join(errors), USAGE)
    if not json:
        for warning in warnings:
            typer.echo(f"warning: {warning}")
        typer.echo(f"{_named(file, setting_variables())}: valid{f'; warnings: {len(warnings)}' if warnings else ''}")


def show(
    settings: File = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what differs from the defaults; as a file it gives the same.")] = False,
    json: Json = False,
) -> None:
    """Show the settings in force, the environment's over the file's, as YAML. Secrets are named by their sources and never shown."""
    from json import dumps

    import yaml

    from pointsman.cli.settings_shown import shown
    from pointsman.runtime.settings_file import SettingsError, load_settings, setting_variables, settings_path

    file = settings_path(settings)
    try:
        values = shown(load_settings(file), changed=changed)
    except SettingsError as error:
        raise CommandFailed(str(error), USAGE) from None
    if json:
        typer.echo(dumps(values, ensure_ascii=False))
    else:
        typer.echo(f"# {_named(file, setting_variables())}")
        typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=140), nl=False)


def schema(json: Annotated[bool, typer.Option("--json", help="On one line; it is JSON without this too.")] = False) -> None:
    """Print the JSON Schema of the settings file, by which editors complete and check it."""
    from json import dumps

    from pointsman.cli.settings_schema import settings_schema

    typer.echo(dumps(settings_schema(), indent=None if json else 2, ensure_ascii=False))


def render(
    settings: Annotated[Path | None, typer.Option(help="The settings file.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; else standard output.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON in the place of YAML: a List, as kubectl takes it.")] = False,
) -> None:
    """Render what Kubernetes needs: a ConfigMap with the settings as pods read them, and a RayService with an application per strategy."""
    from pointsman.rendering.render import render as as_yaml
    from pointsman.rendering.render import render_json
    from pointsman.runtime.settings_file import SettingsError, load_settings

    try:
        loaded = load_settings(settings)
        text = render_json(loaded) if json else as_yaml(loaded)
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


def _named(file: Path | None, variables: list[str]) -> str:
    """Where the settings come from."""
    over = f"{', '.join(variables[:-1])} and {variables[-1]}" if len(variables) > 1 else "".join(variables)
    if not file:
        return over or "the defaults"
    return f"{file}, and over it {over}" if over else str(file)
