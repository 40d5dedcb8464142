"""What a PromQL expression asks for: its metrics, and the labels by which it picks and groups them. Enough for our own; no parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.support.label_values import unknown_values
from tests.support.metric_table import documented

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BY: Final = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR: Final = re.compile(r"(?<![\w$.])([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?!\s*\()(?![\w:])")
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "offset", "by", "on", "ignoring", "without", "group_left", "group_right"})
ALWAYS: Final = frozenset({"job", "instance"})
"""Labels that the scraping adds."""


def selectors(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each metric by its series' name, and the labels between its braces."""
    bare = _BY.sub(" ", _STRING.sub('""', expression))
    for name, matchers in _SELECTOR.findall(bare):
        if name not in _WORDS:
            yield name, frozenset(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def grouped(expression: str) -> frozenset[str]:
    """The labels that it groups or joins by."""
    return frozenset(label for labels in _BY.findall(_STRING.sub('""', expression)) for label in re.findall(r"\w+", labels))


def known_series() -> dict[str, frozenset[str]]:
    """Every series of docs/metrics.md with its labels, and those of Prometheus itself that we use."""
    found: dict[str, frozenset[str]] = {"up": ALWAYS}
    for name, shape in documented().items():
        labels = shape.labels | ALWAYS
        if shape.kind == "histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found


def faults(expression: str) -> list[str]:
    """What it asks for that there isn't: values of labels, series, and labels that a series hasn't or none of them has."""
    series, found = known_series(), [f"there is no {each}" for each in unknown_values(expression)]
    labels_of_all: frozenset[str] = frozenset()
    for name, labels in selectors(expression):
        if name not in series:
            found.append(f"no metric {name}")
            continue
        labels_of_all |= series[name]
        found += [f"{name} has no label {label}" for label in sorted(labels - series[name])]
    return found + [f"nothing in it has a label {label}" for label in sorted(grouped(expression) - labels_of_all)]
