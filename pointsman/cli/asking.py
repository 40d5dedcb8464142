"""The commands that ask a gateway: route, chat, compare and strategies.

What a command needs is imported inside it, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman.cli.options import ToGateway

Model = Annotated[str, typer.Option(help="RouteLLM's model string.")]
Address = Annotated[str, typer.Option(help="The gateway's gRPC address, host:port.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, and nothing else.")]
Timeout = Annotated[float, typer.Option(help="The deadline, in seconds.", min=0.001)]
Prompt = Annotated[str, typer.Argument(help="The prompt; - reads it from standard input.")]
_MODEL: Final = "router-mf-0.5"
_ADDRESS: Final = "127.0.0.1:50051"
_TIMEOUT_S: Final = 600.0


def route(
    prompt: Prompt, to: ToGateway, model: Model = _MODEL, address: Address = _ADDRESS, json: Json = False, timeout: Timeout = _TIMEOUT_S
) -> None:
    """Decide which tier would answer a prompt, without calling it."""
    from pointsman.cli.output import show_json, show_receipt
    from pointsman.cli.progress import waiting
    from pointsman.cli.reporting import reported

    with reported(), to.client(address, timeout) as client, waiting("deciding"):
        answer = client.route(_read(prompt), model=model)
    if json:
        show_json(answer)
    else:
        show_receipt(answer.receipt, answer.decision)


def chat(
    to: ToGateway,
    prompt: Annotated[
        str | None, typer.Argument(help="The prompt; - reads it from standard input. Without one, on a terminal, a conversation.")
    ] = None,
    model: Model = _MODEL,
    max_tokens: Annotated[int | None, typer.Option(help="The answer's length at most, in tokens.", min=1)] = None,
    address: Address = _ADDRESS,
    json: Json = False,
    timeout: Timeout = _TIMEOUT_S,
) -> None:
    """Ask the tier that the router chooses; the answer is shown as it comes, then its receipt. Without a prompt, converse."""
    from pointsman.cli.conversation import Conversation
    from pointsman.cli.output import show_json, show_receipt, show_text
    from pointsman.cli.progress import after_waiting, waiting
    from pointsman.cli.reporting import reported
    from pointsman.client import ChatOptions

    if prompt is None and (json or not sys.stdin.isatty()):
        raise typer.BadParameter("a conversation needs a terminal and no --json; give a prompt, or - to read it from standard input")
    options: ChatOptions = {"model": model} if max_tokens is None else {"model": model, "max_tokens": max_tokens}
    with reported(), to.client(address, timeout) as client:
        if prompt is None:
            Conversation(client, options).run()
            return
        messages = [{"role": "user", "content": _read(prompt)}]
        if json:
            with waiting("waiting for an answer"):
                whole = client.chat(messages, **options)
            show_json(whole)
            return
        with client.stream_chat(messages, **options) as answer:
            show_text(after_waiting("waiting for an answer", answer.text()))
        if answer.receipt:
            show_receipt(answer.receipt, answer.receipt.decision)


def compare(
    to: ToGateway,
    prompt: Annotated[str | None, typer.Argument(help="The prompt; - reads it from standard input.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Many prompts: .csv or .jsonl with `prompt`, else one a line; - is standard input.", show_default=False),
    ] = None,
    strategy: Annotated[list[str] | None, typer.Option(help="A strategy to ask, or several, an option each; else all.")] = None,
    threshold: Annotated[float | None, typer.Option(help="The threshold by which tiers are shown; else 0.5.", min=0, max=1)] = None,
    strong_share: Annotated[
        float | None, typer.Option(help="In its place: each strategy's own calibrated threshold for this share.", min=0, max=1)
    ] = None,
    address: Address = _ADDRESS,
    json: Annotated[bool, typer.Option("--json", help="A JSON object for each prompt, a line each, and nothing else.")] = False,
    timeout: Timeout = _TIMEOUT_S,
) -> None:
    """Compare all strategies on a prompt, or on each prompt of a file: win rates, thresholds, tiers. No LLM is called."""
    from pointsman.cli.comparing import Bar, compare_prompts
    from pointsman.cli.prompts import read_prompts

    if (prompt is None) == (file is None):
        raise typer.BadParameter("give a prompt or --file, one of the two")
    if threshold is not None and strong_share is not None:
        raise typer.BadParameter("--threshold and --strong-share exclude each other")
    prompts = read_prompts(file) if file else [_read(prompt or "")]
    bar = Bar(0.5 if threshold is None else threshold, strong_share)
    with to.client(address, timeout) as client:
        compare_prompts(client, prompts, strategy or (), bar, many=file is not None, json=json)


def strategies(to: ToGateway, address: Address = _ADDRESS, json: Json = False, timeout: Timeout = _TIMEOUT_S) -> None:
    """List the strategies and whether they are ready, the pairs, and the policies."""
    from pointsman.cli.output import show_json, show_strategies
    from pointsman.cli.progress import waiting
    from pointsman.cli.reporting import reported

    with reported(), to.client(address, timeout) as client, waiting("asking"):
        answer = client.list_strategies()
    if json:
        show_json(answer)
    else:
        show_strategies(answer)


def _read(prompt: str) -> str:
    return sys.stdin.read() if prompt == "-" else prompt
