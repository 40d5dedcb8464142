"""Where a stream stands between two events, and what is put there."""

from __future__ import annotations

import asyncio

import pytest

from gateway.event_stream import HEARTBEAT, EventWriter, ends_an_event


@pytest.mark.parametrize(
    "stream", [b"", b"\n", b"\r\n", b"data: x\n\n", b"data: x\r\n\r\n", b"data: x\r\r", b": x\r\n\n", b"x\n\r\n", b"x\n\r"]
)
def test_after_a_blank_line_and_at_the_beginning_it_does(stream: bytes) -> None:
    """Lines end in any of the three ways, and may change it."""
    assert ends_an_event(stream[-4:])


@pytest.mark.parametrize("stream", [b"x", b"data: x", b"data: x\n", b"data: x\r\n", b"data: x\r", b"\n\nx\r\n", b"\n\ndata: x\n"])
def test_anywhere_else_it_does_not(stream: bytes) -> None:
    """One line's end is none of an event's."""
    assert not ends_an_event(stream[-4:])


@pytest.mark.parametrize("size", range(1, 8))
async def test_it_is_seen_however_the_pieces_are_cut(size: int) -> None:
    """What we add stands apart from half an event and nowhere else."""
    for stream, apart in ((b"data: 1\r\n\r\n", b""), (b"data: 1\r\n", b"\n\n")):
        sent: list[bytes] = []
        writer = _writer(sent)
        for start in range(0, len(stream), size):
            await writer.write(stream[start : start + size])
        await writer.add(b"data: ours\n\n")
        assert b"".join(sent) == stream + apart + b"data: ours\n\n"


async def test_a_silence_between_events_is_filled_and_one_inside_an_event_is_not() -> None:
    """It goes on until the block ends."""
    sent: list[bytes] = []
    writer = _writer(sent)
    with writer.kept_alive(0.01):
        await writer.write(b"data: 1\n\n")
        while sent.count(HEARTBEAT) < 2:
            await asyncio.sleep(0.01)
        await writer.write(b"data: ")
        inside = len(sent)
        await asyncio.sleep(0.1)
        assert len(sent) == inside
    await writer.write(b"2\n\n")
    await asyncio.sleep(0.05)
    assert b"".join(sent).replace(HEARTBEAT, b"") == b"data: 1\n\ndata: 2\n\n"
    assert sent[-1] == b"2\n\n"


async def test_nothing_is_put_before_a_piece_that_waits_to_be_written() -> None:
    """A caller who doesn't read gets the backend's bytes in their order and no heap of comments."""
    sent: list[bytes] = []
    taken = asyncio.Event()

    async def slowly(piece: bytes) -> None:
        await taken.wait()
        sent.append(piece)

    writer = EventWriter(slowly)
    with writer.kept_alive(0.01):
        writing = asyncio.create_task(writer.write(b"data: 1\n\n"))
        await asyncio.sleep(0.1)
        taken.set()
        await writing
    assert sent == [b"data: 1\n\n"]


def _writer(sent: list[bytes]) -> EventWriter:
    async def write(piece: bytes) -> None:
        sent.append(piece)

    return EventWriter(write)
