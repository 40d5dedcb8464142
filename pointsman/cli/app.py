"""The commands and their options. What a command needs is imported inside it, so that `--help` stays quick.

Exit codes: 0 done, 1 the request or a service failed, 2 wrong arguments or settings, 3 no service answers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman import __version__
from pointsman.cli import asking, keys, operating, settings
from pointsman.cli.doctoring import doctor
from pointsman.cli.exits import CommandFailed
from pointsman.cli.loadtest import loadtest
from pointsman.cli.options import takes

_HELP: Final = "Sends each prompt to the strong or the weak LLM, by predicted strong win rate and your threshold."
_EPILOG: Final = "Exit codes: 0 done, 1 the request or a service failed, 2 wrong arguments or settings, 3 no service answers."

_MOST: Final = 32


def run() -> int:
    """Runs the command that the process's arguments name. The exit code."""
    try:
        build_app()(prog_name="pointsman")
    except CommandFailed as failure:
        sys.stderr.write(f"{failure.message}\n")
        return failure.exit_code
    return 0


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    app = typer.Typer(help=_HELP, epilog=_EPILOG, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_pointsman)
    app.command("up")(_up)
    app.command("route")(takes(asking.route))
    app.command("chat")(takes(asking.chat))
    app.command("compare")(takes(asking.compare))
    app.command("strategies")(takes(asking.strategies))
    app.command("pin")(takes(operating.pin))
    app.command("stats")(takes(operating.stats))
    app.command("loadtest")(loadtest)
    app.command("doctor")(doctor)
    app.add_typer(keys.build(), name="keys")
    app.add_typer(settings.build(), name="settings")
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command("train", context_settings=passed_on)(_train)
    app.command("evaluate", add_help_option=False, context_settings=passed_on)(_evaluate)
    app.command("calibrate", add_help_option=False, context_settings=passed_on)(_calibrate)
    app.command("certify", add_help_option=False, context_settings=passed_on)(_certify)
    app.command("label", add_help_option=False, context_settings=passed_on)(_label)
    return app


def _pointsman(
    version: Annotated[bool, typer.Option("--version", callback=lambda asked: _version(asked), is_eager=True, help="The version.")] = False,
) -> None: ...


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pointsman {__version__}")
        raise typer.Exit


def _up(
    settings: Annotated[Path | None, typer.Option(help="The settings file.")] = None,
    gateways: Annotated[int, typer.Option(help="So many gateway processes, which share their ports.", min=1, max=_MOST)] = 1,
    controllers: Annotated[int, typer.Option(help="So many controller processes, each on its own ports.", min=1, max=_MOST)] = 1,
    json: Annotated[bool, typer.Option("--json", help="A JSON object for each event on standard output, a line each.")] = False,
) -> None:
    """Start everything on this machine, and stop it on Ctrl-C: scorers on Ray, controller, gateway, and two small local LLMs where
    the settings name no backend."""
    from pointsman.cli.scale import Scale
    from pointsman.cli.up import up

    raise typer.Exit(up(settings, Scale(gateways, controllers), json=json))


def _train(
    context: typer.Context,
    strategy: Annotated[str, typer.Argument(help="mf, sw_ranking, bert or causal_llm.")],
    data: Annotated[Path, typer.Option(help="A .jsonl or .parquet of preferences, or a folder of RouteLLM's benchmark files.")],
    out: Annotated[Path, typer.Option(help="Where the checkpoint goes.")],
    seed: Annotated[int, typer.Option(help="The seed; the same seed and data give the same checkpoint.")] = 0,
) -> None:
    """Train a strategy's checkpoint from preference data: rows of prompt, model_a, model_b and winner (one of the two names, or tie).

    Further options go to the strategy's own training: --strong and --weak name the pair, --work a folder to go on from after a cut,
    --threads, --json; mf and sw_ranking take --embedder, bert takes --device, causal_llm takes --most.
    """
    from pointsman.cli.checkout import train

    raise typer.Exit(train(strategy, data, out, seed, context.args))


def _evaluate(context: typer.Context) -> None:
    """Measure how well strategies order labelled prompts (pointsman evaluate --help)."""
    from pointsman.cli.checkout import evaluate

    raise typer.Exit(evaluate(context.args))


def _calibrate(context: typer.Context) -> None:
    """Turn strong shares, or a budget, into thresholds of the checkpoint that serves (pointsman calibrate --help)."""
    from pointsman.cli.checkout import calibrate

    raise typer.Exit(calibrate(context.args))


def _certify(context: typer.Context) -> None:
    """Find thresholds that lose at most so much quality against always-strong, by labelled prompts (pointsman certify --help)."""
    from pointsman.cli.checkout import certify

    raise typer.Exit(certify(context.args))


def _label(context: typer.Context) -> None:
    """Have both tiers of a pair answer your prompts and a judge score the answers (pointsman label --help)."""
    from pointsman.cli.checkout import label

    raise typer.Exit(label(context.args))
