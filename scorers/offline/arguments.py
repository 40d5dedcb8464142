"""Types of the commands' arguments, with what they say where one is wrong."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def names(text: str) -> list[str]:
    """Joined by commas; one that comes twice counts once."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError("names, joined by commas, are needed")
    return list(dict.fromkeys(found))


def whole_number(least: int) -> Callable[[str], int]:
    """From `least` on."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:
            raise argparse.ArgumentTypeError(f"a whole number from {least} is needed")
        return int(text)

    return parse


def share(text: str) -> float:
    """0 to 1."""
    return _number(text, 0, 1, "a number from 0 to 1 is needed")


def money(text: str) -> float:
    """0 or more, in any currency."""
    return _number(text, 0, 1e12, "an amount of money, 0 or more, is needed")


def inside(text: str) -> float:
    """Above 0 and below 1."""
    number = _number(text, 0, 1, "a number above 0 and below 1 is needed")
    if number in (0, 1):
        raise argparse.ArgumentTypeError("a number above 0 and below 1 is needed")
    return number


def days(text: str) -> float:
    """A second to a hundred years."""
    return _number(text, 1 / 86_400, 36_525, "a number of days is needed")


def _number(text: str, least: float, most: float, needed: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(needed)
    return number
