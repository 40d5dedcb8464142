"""The command's options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pointsman.client import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S
from scorers.offline.access import add_access_options
from scorers.offline.label.job import LengthName


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Exits with code 2 where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="pointsman label", description="Have both tiers answer a sample of prompts, and a judge score them."
    )
    parser.add_argument("--data", type=Path, required=True, help="prompts: CSV, JSON Lines or Parquet with a column prompt")
    parser.add_argument("--out", type=Path, required=True, help="the .jsonl that is written; FILE.work beside it is the journal")
    parser.add_argument("--sample", type=_positive, help="how many prompts, drawn at random; all unless named")
    parser.add_argument("--seed", type=int, default=0, help="of the sample: the same seed and data give the same")
    parser.add_argument("--pair", default="default", help="the pair whose tiers answer")
    parser.add_argument("--judge", default="judge", help="the pair whose strong backend judges")
    parser.add_argument("--mode", choices=("single", "pair"), default="single", help="each answer scored 1 to 10, or both compared")
    parser.add_argument("--max-tokens", type=_positive, default=1024, help="an answer's length at most")
    parser.add_argument("--judge-max-tokens", type=_positive, default=1024, help="a verdict's length at most, its reasons included")
    parser.add_argument("--temperature", type=float, help="of the answers; the backends' own unless named")
    parser.add_argument("--judge-temperature", type=_temperature, default=0.0, help="of the judge, 0 unless named; own: its backend's own")
    parser.add_argument("--length-as", choices=get_args(LengthName), default="max_tokens", help="what the backends call an answer's length")
    parser.add_argument("--max-cost", type=float, help="stop before the whole labelling, earlier runs included, costs more")
    parser.add_argument("--yes", action="store_true", help="don't ask before spending")
    parser.add_argument("--keep-answers", action="store_true", help="write the answers beside the outcomes")
    parser.add_argument("--url", default=DEFAULT_ADDRESS, help="the service's gRPC address, host:port")
    add_access_options(parser)
    parser.add_argument("--settings", type=Path, help="the service's settings file, for prices")
    parser.add_argument("--concurrency", type=_positive, default=8, help="calls at once")
    parser.add_argument("--tries", type=_positive, default=5, help="tries of each call")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_S, help="a call's deadline, in seconds")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, and nothing else")
    options = parser.parse_args(arguments)
    if options.out.suffix != ".jsonl":
        parser.error("--out: a name that ends in .jsonl is needed")
    return options


def _temperature(text: str) -> float | None:
    return None if text == "own" else float(text)


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 is needed")
    return number
