"""A recorded set of bodies: they arrive identical but for `model`, and what backends answer comes back identical, on both protocols."""

from __future__ import annotations

import gzip
from pathlib import Path

import grpc
import pytest

from pointsman.v1 import route_service_pb2
from tests.support.backend import answering, streaming
from tests.wire.pass_through.conftest import Edge

HERE = Path(__file__).parent
ROUTER, MODEL = b'"router-mf-1"', b'"weak-model"'
BODIES = {path.stem: path.read_bytes() for path in sorted((HERE / "requests").glob("*.json"))}
BODIES["a_megabyte"] = b'{"messages":[{"role":"user","content":"' + "words, 你好 ".encode() * 75_000 + b'"}],"model":"router-mf-1"}'
BODIES["a_thousand_messages"] = (
    b'{"messages":[' + b'{"role":"assistant","content":"a"},' * 1000 + b'{"role":"user","content":"b"}],"model":"router-mf-1"}'
)
ANSWERS = {path.name: path.read_bytes() for path in sorted((HERE / "answers").iterdir())}
STREAMS = [name for name in ANSWERS if name.endswith(".sse")]
WHOLE = [name for name in ANSWERS if name.endswith(".json")]


async def _by_grpc(edge: Edge, body: bytes) -> bytes:
    request = route_service_pb2.StreamChatCompletionRequest(body=body)
    events = [event async for event in edge.stub.StreamChatCompletion(request)]
    assert events[-1].receipt.decision.backend == "weak"
    assert not events[-1].receipt.error
    return b"".join(event.chunk.raw for event in events)


def _cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def test_the_set_has_a_megabyte_and_every_plane_of_unicode() -> None:
    """And each body names its router once, so that what is expected at the backend is plain."""
    assert len(BODIES["a_megabyte"]) > 1 << 20
    assert {ord(character) >> 16 for character in BODIES["unicode"].decode()} == set(range(17))
    assert len(BODIES) == 15
    assert all(body.count(ROUTER) == 1 for body in BODIES.values())


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_arrives_identical_but_for_model(edge: Edge, name: str) -> None:
    """By REST, whole and as a stream, and by StreamChatCompletion."""
    edge.weak.script = answering(200, ANSWERS["whole.json"])
    assert (await edge.rest.post("/v1/chat/completions", content=BODIES[name])).content == ANSWERS["whole.json"]
    edge.weak.script = streaming([ANSWERS["stream.sse"]])
    assert (await edge.rest.post("/v1/chat/completions", content=BODIES[name])).content == ANSWERS["stream.sse"]
    assert await _by_grpc(edge, BODIES[name]) == ANSWERS["stream.sse"]
    expected = BODIES[name].replace(ROUTER, MODEL)
    assert [received.body == expected for received in edge.weak.received] == [True, True, True]


@pytest.mark.parametrize("name", WHOLE)
async def test_a_whole_answer_comes_back_identical(edge: Edge, name: str) -> None:
    """By REST, and beside the typed form by ChatCompletion."""
    edge.weak.script = answering(200, ANSWERS[name], x_from_backend="yes")
    answer = await edge.rest.post("/v1/chat/completions", content=BODIES["text"])
    assert answer.content == ANSWERS[name]
    assert (answer.headers["content-type"], answer.headers["x-from-backend"]) == ("application/json", "yes")
    typed = await edge.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=BODIES["text"]))
    assert typed.body == ANSWERS[name]


async def test_headers_beyond_ascii_pass_as_the_bytes_that_they_are(edge: Edge) -> None:
    """Both ways; HTTP has no encoding for them, and most write UTF-8."""
    edge.weak.script = answering(200, ANSWERS["whole.json"], x_from_backend="grün")
    answer = await edge.rest.post("/v1/chat/completions", content=BODIES["text"], headers=[(b"user-agent", "für uns".encode())])
    assert (b"x-from-backend", "grün".encode()) in answer.headers.raw
    assert edge.weak.received[0].headers["user-agent"] == "für uns".encode().decode("latin-1")


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_comes_back_identical_however_it_is_cut(edge: Edge, name: str, size: int) -> None:
    """Comments, unknown events, foreign line ends and a last event without its blank line included."""
    edge.weak.script = streaming(_cut(ANSWERS[name], size))
    answer = await edge.rest.post("/v1/chat/completions", content=BODIES["text"])
    assert answer.content == ANSWERS[name]
    assert answer.headers["content-type"] == "text/event-stream"
    assert await _by_grpc(edge, BODIES["text"]) == ANSWERS[name]


@pytest.mark.parametrize("key", ["model", "messages"])
async def test_what_routing_reads_twice_is_refused_on_both_protocols(edge: Edge, key: str) -> None:
    """A backend might read the other one."""
    body = BODIES["text"].replace(b"{", b'{"%b": "router-mf-1", ' % key.encode(), 1)
    answer = await edge.rest.post("/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, key)
    with pytest.raises(grpc.aio.AioRpcError, match=f"{key} appears twice"):
        await _by_grpc(edge, body)
    assert not edge.weak.received


@pytest.mark.parametrize("status", [200, 400])
async def test_an_answer_that_is_compressed_unasked_passes(edge: Edge, status: int) -> None:
    """The client's own library unpacks it; only its usage stays unread."""
    edge.weak.script = answering(status, gzip.compress(ANSWERS["whole.json"]), content_encoding="gzip")
    answer = await edge.rest.post("/v1/chat/completions", content=BODIES["text"])
    assert (answer.status_code, answer.content) == (status, ANSWERS["whole.json"])
