"""What the commands show: rich text for people, or one JSON object with the contract's own field names."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.v1 import admin_service_pb2, calibration_pb2, route_service_pb2, routing_pb2

# A model's text must not drive the terminal.
_CONTROLS: Final = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_PIPE_WIDTH: Final = 200
TIER_STYLES: Final = {"strong": "bold magenta", "weak": "bold cyan"}


def show_json(message: Message) -> None:
    """The message as one line of JSON; 64-bit integers are strings and bytes are base64, as protobuf's JSON has them."""
    values = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")


def show_text(pieces: Iterable[str]) -> None:
    """The pieces as they come, then an end of line."""
    try:
        for piece in pieces:
            sys.stdout.write(piece.translate(_CONTROLS))
            sys.stdout.flush()
    finally:
        sys.stdout.write("\n")
        sys.stdout.flush()


def show_receipt(receipt: routing_pb2.Receipt, decision: routing_pb2.Decision) -> None:
    """The decision and what explains it, a line per fact."""
    tier = tier_name(decision.tier)
    facts: list[tuple[str, str | Text]] = [
        ("tier", Text(tier, TIER_STYLES.get(tier, ""))),
        ("model", decision.model),
        ("why", why(decision)),
        ("opinions", _opinions(receipt)),
        ("pair", decision.pair),
        ("checkpoint", ", ".join(opinion.checkpoint for opinion in receipt.opinions if opinion.checkpoint)),
        ("time", time_told(receipt)),
        ("tokens", tokens_told(receipt)),
        ("cost", _cost(receipt)),
        ("attempts", _attempts(receipt)),
        ("incomplete", receipt.error),
        ("request id", receipt.request_id),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        if value:
            table.add_row(Text(name, "dim"), Text(value) if isinstance(value, str) else value)
    new_console().print(table)


def show_strategies(answer: route_service_pb2.ListStrategiesResponse) -> None:
    """Strategies, pairs and policies as tables."""
    console = new_console()
    strategies = new_table("strategy", "state", "checkpoint", "embedder", "calibrated on")
    for strategy in answer.strategies:
        state = Text("ready", "green") if strategy.ready else Text(strategy.detail or "not ready", "yellow")
        calibrated = Text(_calibrated(strategy.calibrations))
        strategies.add_row(Text(strategy.name), state, Text(strategy.checkpoint), Text(strategy.embedder), calibrated)
    for ensemble in answer.ensembles:
        strategies.add_row(Text(ensemble.name), Text("ready", "green"), Text(""), Text(""), Text(_calibrated(ensemble.calibrations)))
    console.print(strategies)
    _show_live(console, answer)
    pairs = new_table("pair", "strong", "weak", "pinned to")
    for pair in answer.pairs:
        pairs.add_row(Text(pair.name), Text(pair.strong), Text(pair.weak), _pinned(pair.pinned))
    console.print(pairs)
    for name, values in (("policies", answer.policies), ("backends", answer.backends)):
        if values:
            console.print(Text(f"{name}: {', '.join(values)}"), soft_wrap=True)


def show_pin(answer: admin_service_pb2.PinResponse, controllers: int = 1) -> None:
    """What holds now, in one line, on so many controllers."""
    if answer.tier == routing_pb2.TIER_UNSPECIFIED:
        said = f"{answer.pair} is not pinned"
    else:
        seconds = answer.remaining.ToTimedelta().total_seconds()
        until = f"for {seconds:.0f} s" if answer.HasField("remaining") else "until it is released or the controller stops"
        said = f"{answer.pair} is pinned to {tier_name(answer.tier)} {until}"
    everywhere = f" (on {controllers} controllers)" if controllers > 1 else ""
    new_console().print(Text(said + everywhere), soft_wrap=True)


def _pinned(tier: routing_pb2.Tier.ValueType) -> Text:
    return Text(tier_name(tier), "bold red") if tier != routing_pb2.TIER_UNSPECIFIED else Text("")


def _calibrated(calibrations: Sequence[calibration_pb2.Calibration]) -> str:
    """The record that counts: how many prompts, and when; and what is certified."""
    records = [each for each in calibrations if not _certified(each)]
    certified = sorted({each.thresholds[0].max_quality_loss for each in calibrations if _certified(each)})
    said = f"{records[0].sample_size:,} prompts, {records[0].created.ToDatetime():%Y-%m-%d}" if records else "nothing"
    return f"{said}; certified for {', '.join(f'{loss:g}' for loss in certified)}" if certified else said


def _certified(calibration: calibration_pb2.Calibration) -> bool:
    return any(each.WhichOneof("target") == "max_quality_loss" for each in calibration.thresholds)


def _show_live(console: Console, answer: route_service_pb2.ListStrategiesResponse) -> None:
    """Recent traffic beside what it was calibrated for, where there is any."""
    shares, drifts = (
        new_table("strategy", "asked for", "went to strong", "decisions"),
        new_table("strategy", "record", "drift", "win rates", ""),
    )
    for name, live in [(each.name, each.live) for each in answer.strategies] + [(each.name, each.live) for each in answer.ensembles]:
        for share in live.shares:
            shares.add_row(name, f"{100 * share.target:g} %", f"{100 * share.strong_share:.1f} %", f"{share.decisions:,}")
        for drift in live.drifts:
            past = Text("past the limit", "red") if drift.past_limit else Text("")
            drifts.add_row(name, Text(drift.calibration), f"{drift.index:.3f}", f"{drift.win_rates:,}", past)
    for table in (shares, drifts):
        if table.row_count:
            console.print(table)


def new_console() -> Console:
    """Standard output; a file or a pipe has no width to keep to."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)


def new_table(*headings: str) -> Table:
    """An empty table without lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        # Checkpoints and embedders are long: they break over lines before a name or a state does.
        table.add_column(heading, overflow="fold", min_width=len(heading), no_wrap=heading in ("strategy", "pair"))
    return table


def _opinions(receipt: routing_pb2.Receipt) -> str:
    """Of several strategies, or of one whose win rate was remembered."""
    if len(receipt.opinions) < 2 and not any(opinion.cached for opinion in receipt.opinions):
        return ""
    return ", ".join(f"{each.strategy} {_opinion(each)}" for each in receipt.opinions)


def _opinion(opinion: routing_pb2.Opinion) -> str:
    if not opinion.HasField("strong_win_rate"):
        return reason_name(opinion.failure)
    return f"{opinion.strong_win_rate:.4f}{' (cached)' if opinion.cached else ''}"


def why(decision: routing_pb2.Decision) -> str:
    """The comparison, or what else set the tier."""
    reason = reason_name(decision.reason)
    if decision.reason != routing_pb2.REASON_COMPARISON:
        return f"{reason} ({decision.strategy})" if decision.strategy else reason
    sign = "≥" if decision.tier == routing_pb2.TIER_STRONG else "<"
    score = "mean rank" if "+" in decision.strategy else "strong win rate"
    return f"{decision.strategy}: {score} {decision.strong_win_rate:.4f} {sign} threshold {decision.threshold:g}"


def time_told(receipt: routing_pb2.Receipt) -> str:
    """In milliseconds, what of it is known."""
    timings = receipt.timings
    named = (("scoring", timings.scoring_s), ("router", timings.router_s), ("first byte", timings.first_byte_s), ("total", timings.total_s))
    return ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in named if seconds)


def tokens_told(receipt: routing_pb2.Receipt) -> str:
    """Empty where the backend didn't tell."""
    if not receipt.HasField("usage"):
        return ""
    estimated = " (estimated)" if receipt.usage.estimated else ""
    return f"{receipt.usage.prompt_tokens} read, {receipt.usage.completion_tokens} written{estimated}"


def _cost(receipt: routing_pb2.Receipt) -> str:
    cost = receipt.cost
    return f"{cost.amount:g} {cost.currency}, always strong {cost.always_strong:g}" if receipt.HasField("cost") else ""


def _attempts(receipt: routing_pb2.Receipt) -> str:
    return ", ".join(f"{a.backend} {a.error or a.http_status}" for a in receipt.attempts) if len(receipt.attempts) > 1 else ""
