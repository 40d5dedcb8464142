"""Whatever a backend answers is read without failing, however it is cut."""

from __future__ import annotations

import orjson
from hypothesis import strategies as st

from controller.backend_headers import retry_after
from controller.chat_codec import chunk_from_event, completion_from_json
from controller.estimate import answered_characters
from controller.sse import EventSplitter
from controller.usage import UsageWatch, usage_of
from pointsman.runtime.errors import BackendFailed
from tests.fuzz import texts
from tests.fuzz.campaign import Campaign

_LATIN = st.text(st.characters(max_codepoint=255))
"""What a header's value may be once HTTP has let it through, and more."""


def test_however_a_stream_is_cut_its_events_are_the_same(campaign: Campaign) -> None:
    """And no byte is lost."""

    def events(pieces: list[bytes]) -> list[bytes]:
        splitter = EventSplitter()
        return [event for piece in pieces for event in splitter.feed(piece)] + [splitter.rest()]

    def check(pieces: list[bytes]) -> None:
        assert b"".join(events(pieces)) == b"".join(pieces)
        assert events(pieces) == events([b"".join(pieces)])

    line = st.one_of(st.sampled_from([b"data: {}", b": comment", b"event: x", b"data:", b""]), st.binary(max_size=6))
    ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\r"])
    stream = st.lists(st.tuples(line, ends).map(b"".join), max_size=8).map(b"".join)
    campaign.run("SSE: events however cut", texts.pieces_of(stream), check, long=8_000)


def test_usage_is_found_however_a_stream_is_cut(campaign: Campaign) -> None:
    """The same tokens, within what a counter takes, and as many characters."""

    def watched(pieces: list[bytes]) -> tuple[bytes | None, int]:
        watch = UsageWatch()
        for piece in pieces:
            watch.feed(piece)
        return watch.usage.SerializeToString() if watch.usage else None, watch.characters

    def check(pieces: list[bytes]) -> None:
        assert watched(pieces) == watched([b"".join(pieces)])

    counts = st.one_of(st.integers(), st.booleans(), texts.json_values(2))
    names = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")
    usage = st.fixed_dictionaries({}, optional=dict.fromkeys(names, counts))
    event = st.fixed_dictionaries({}, optional={"usage": usage, "choices": texts.json_values(6), "response": texts.json_values(4)})
    line = texts.written(st.one_of(event, event, texts.json_values())).map(lambda data: b"data: " + data)
    stream = st.lists(st.tuples(line, st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n", b""])).map(b"".join), max_size=4).map(b"".join)
    campaign.run("SSE: usage however cut", texts.pieces_of(stream), check, long=3_000)


def test_any_answer_of_a_backend_is_read_without_failing(campaign: Campaign) -> None:
    """Its usage, its length, and its typed form; what isn't one is the backend's failure."""

    def check(answer: bytes) -> None:
        chunk_from_event(b"data: " + answer + b"\n\n")
        try:
            assert completion_from_json(answer, "weak").body == answer
        except BackendFailed:
            return
        value = orjson.loads(answer)
        assert answered_characters(value) >= 0
        if usage := usage_of(value):
            assert 0 <= usage.prompt_tokens < 1 << 53
            assert 0 <= usage.completion_tokens < 1 << 53

    campaign.run("backend's answer", st.one_of(texts.written(texts.json_values(20)), texts.written(texts.bodies())), check, long=6_000)


def test_any_retry_after_is_seconds_or_nonsense(campaign: Campaign) -> None:
    """Never less than none."""

    def check(text: str) -> None:
        seconds = retry_after(text)
        assert seconds is None or seconds >= 0

    number = st.integers(-9, 10**24).map(str)
    date = st.tuples(
        st.sampled_from(["Mon, ", "", "x"]),
        number,
        st.sampled_from([" Jan ", " Foo ", "-1-"]),
        number,
        st.sampled_from([" 00:00:00 GMT", " 99:99:99 +9999", " 1:1 -2359", "", " 00:00:00 +99999999999999999999"]),
    ).map("".join)
    campaign.run("Retry-After", st.one_of(number, date, _LATIN), check, long=10_000)
