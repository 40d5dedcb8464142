"""Strategies for texts and JSON as clients and backends write them, rightly and wrongly.

Each is built once: building one costs more than drawing from it.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.canary import PROMPT

MODELS: Final = ("router-mf-0.5", "router-mf-1", "router-random-0", "router-mf+random-0.3", "router-mf-30pct", "router:cheap", "strong")
_ROLES: Final = ("system", "user", "assistant", "tool", "developer", "")
_KINDS: Final = ("text", "input_text", "output_text", "image_url", "input_audio", "refusal", "item_reference")
_KEYS: Final = (
    *("model", "messages", "prompt", "input", "stream", "user", "role", "content", "type", "text", "tools", "tool_calls", "usage"),
    *("response", "choices", "delta", "message", "previous_response_id", "conversation", "max_tokens", "response_format", "index"),
)


@cache
def words() -> SearchStrategy[str]:
    """Any text that UTF-8 can carry, and often one that means something here."""
    return st.one_of(st.sampled_from((*MODELS, *_ROLES, *_KINDS, PROMPT)), st.text(st.characters(exclude_categories=["Cs"])))


@cache
def json_values(most_leaves: int = 12) -> SearchStrategy[Any]:
    """Any JSON value, with keys that mean something here."""
    numbers = st.one_of(st.integers(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False))
    leaves = st.one_of(st.none(), st.booleans(), numbers, words())
    keys = st.one_of(st.sampled_from(_KEYS), words())
    return st.recursive(
        leaves, lambda some: st.one_of(st.lists(some, max_size=4), st.dictionaries(keys, some, max_size=5)), max_leaves=most_leaves
    )


@cache
def messages() -> SearchStrategy[Any]:
    """What could stand as `messages`: mostly messages, mostly well formed."""
    part = st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(_KINDS)}, optional={"text": words(), "image_url": json_values(3)}), json_values(3)
    )
    content = st.one_of(words(), st.lists(part, max_size=3), json_values(3))
    message = st.fixed_dictionaries({"role": st.sampled_from(_ROLES)}, optional={"content": content, "tool_calls": json_values(3)})
    return st.one_of(st.lists(st.one_of(message, message, json_values(3)), max_size=4), json_values())


@cache
def bodies() -> SearchStrategy[dict[str, Any]]:
    """An object that could be a request's body."""
    known: dict[str, SearchStrategy[Any]] = {"model": words(), "messages": messages()}
    more: dict[str, SearchStrategy[Any]] = {"stream": st.booleans(), "prompt": json_values(), "input": messages(), "user": words()}
    whole = st.fixed_dictionaries(known, optional=more)
    return st.one_of(whole, st.tuples(whole, st.dictionaries(words(), json_values(4), max_size=3)).map(lambda both: {**both[1], **both[0]}))


@st.composite
def written(draw: st.DrawFn, values: SearchStrategy[Any]) -> bytes:
    """A value as JSON, spaced and escaped in one of several ways, and sometimes with bytes changed, cut or put in."""
    value, spaced = draw(values), draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    text = json.dumps(value, separators=spaced, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, 1])))
    return draw(damaged(text.encode()))


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes as they are, or with one place of them spoilt."""
    at = draw(st.integers(0, len(whole)))
    how = draw(st.sampled_from(["whole", "whole", "whole", "cut", "put in", "left out", "doubled"]))
    if how == "cut":
        return whole[:at]
    if how == "put in":
        return whole[:at] + draw(st.binary(min_size=1, max_size=4)) + whole[at:]
    if how == "left out":
        return whole[:at] + whole[at + draw(st.integers(1, 4)) :]
    return whole[:at] + whole[at : at + 20] + whole[at:] if how == "doubled" else whole


def pieces_of(whole: SearchStrategy[bytes]) -> SearchStrategy[list[bytes]]:
    """The bytes, cut anywhere into pieces; some of them empty."""

    def cut(data: bytes) -> SearchStrategy[list[bytes]]:
        places = st.lists(st.integers(0, len(data)), max_size=6).map(sorted)
        return places.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])

    return whole.flatmap(cut)
