"""Pieces of a backend's stream: what comes within a turn of the event loop goes on together, and nothing of it is lost."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from controller.backends import Answer
from controller.deadline import Deadline


class Content:
    """A stream that has `first` now and `more` once the reader has waited for a turn; then `error`, if there is one."""

    def __init__(self, first: bytes, more: bytes = b"", error: Exception | None = None) -> None:
        self.first, self.more, self.error = first, more, error
        self.asked: list[int] = []
        self._turned = False

    def is_eof(self) -> bool:
        return False

    async def read(self, most: int) -> bytes:
        asyncio.get_running_loop().call_soon(self._turn)
        return self.first[:most]

    def read_nowait(self, most: int) -> bytes:
        if self.error:
            raise self.error
        self.asked.append(most)
        return self.more[:most] if self._turned else b""

    def exception(self) -> Exception | None:
        return self.error

    def _turn(self) -> None:
        self._turned = True


def answer(content: Content) -> Answer:
    """Whose stream it is."""
    response: Any = SimpleNamespace(status=200, raw_headers=(), content=content)
    return Answer("weak", response, Deadline.after(5), idle_s=5)


async def test_what_comes_within_a_turn_goes_on_together() -> None:
    assert await answer(Content(b"one", b"two")).read() == b"onetwo"


async def test_what_came_before_a_cut_is_not_lost_with_it() -> None:
    """The cut is told by the next read."""
    assert await answer(Content(b"one", error=ConnectionResetError())).read() == b"one"


@pytest.mark.parametrize(("first", "asked"), [(16_384, []), (16_000, [384])])
async def test_a_piece_stays_within_its_limit(first: int, asked: list[int]) -> None:
    """16 KiB, for each stream whose caller doesn't read holds several of them."""
    content = Content(b"x" * first, b"y" * 1000)
    assert len(await answer(content).read()) == 16_384
    assert content.asked == asked
