"""The official client, unmodified, against a gateway, a controller and scripted backends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.support.backend import answering, cutting, streaming
from tests.support.canary import KEY, PROMPT
from tests.wire.pass_through import openai_answers as says
from tests.wire.pass_through.conftest import Edge

MODEL = "router-mf-1"
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": f"{PROMPT}, 你好"}]
TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
]


class Person(BaseModel):
    """What an answer must look like."""

    name: str
    age: int


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[openai.AsyncOpenAI]:
    """The asynchronous client; it doesn't try again, so that what is seen is one answer."""
    async with openai.AsyncOpenAI(base_url=f"{edge.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def blocking(edge: Edge) -> Iterator[openai.OpenAI]:
    """The synchronous one, to be used in a thread."""
    with openai.OpenAI(base_url=f"{edge.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


async def test_chat(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """Text, usage and the decision's headers."""
    edge.weak.script = says.chat({"content": "Paris"})
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION, seed=2**53 + 1)
    answer = raw.parse()
    assert answer.choices[0].message.content == "Paris"
    assert answer.usage
    assert answer.usage.total_tokens == 10
    assert raw.headers["x-pointsman-tier"] == "weak"
    assert edge.weak.received[0].json == {"model": "weak-model", "messages": QUESTION, "seed": 2**53 + 1}


async def test_chat_streams(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """Pieces, then the usage that `include_usage` asked for."""
    edge.weak.script = says.chat_stream({"role": "assistant", "content": "Pa"}, {"content": "ris"})
    stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "Paris"
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 3
    assert edge.weak.received[0].json["stream_options"] == {"include_usage": True}


async def test_the_synchronous_client(blocking: openai.OpenAI, edge: Edge) -> None:
    """Whole and streaming."""
    edge.weak.script = says.chat({"content": "Paris"})
    answer = await asyncio.to_thread(blocking.chat.completions.create, model=MODEL, messages=QUESTION)
    assert answer.choices[0].message.content == "Paris"
    edge.weak.script = says.chat_stream({"content": "Pa"}, {"content": "ris"})

    def read() -> str:
        stream = blocking.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
        return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)

    assert await asyncio.to_thread(read) == "Paris"


async def test_tools_are_called_in_parallel_and_their_results_go_back(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """The second turn is scored by the same question, so the loop keeps its model."""
    edge.weak.script = says.chat({"tool_calls": says.CALLS}, "tool_calls")
    answer = await client.chat.completions.create(model=MODEL, messages=QUESTION, tools=TOOLS, parallel_tool_calls=True)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.arguments for call in calls if call.type == "function"] == ['{"city":"A"}', '{"city":"B"}']
    results: list[ChatCompletionMessageParam] = [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in calls]
    turn: Any = answer.choices[0].message.model_dump(exclude_none=True)
    edge.weak.script = says.chat({"content": "Rain."})
    await client.chat.completions.create(model=MODEL, messages=[*QUESTION, turn, *results], tools=TOOLS)
    assert edge.scored == [f"{PROMPT}, 你好"] * 2
    assert [message["role"] for message in edge.weak.received[1].json["messages"]] == ["user", "assistant", "tool", "tool"]
    assert edge.weak.received[1].json["tools"] == TOOLS


async def test_tool_calls_stream(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """The client's own helper puts the arguments together."""
    start = {"index": 0, "id": "call_A", "type": "function", "function": {"name": "weather", "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"ci', 'ty":"A"}')]
    edge.weak.script = says.chat_stream(*({"tool_calls": [call]} for call in (start, *pieces)), finish_reason="tool_calls")
    async with client.chat.completions.stream(model=MODEL, messages=QUESTION, tools=TOOLS) as stream:
        completion = await stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [call.function.arguments for call in calls] == ['{"city":"A"}']


async def test_structured_output(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """A pydantic class goes as a json_schema and comes back as an object."""
    edge.weak.script = says.chat({"content": '{"name":"Alice","age":30}'})
    answer = await client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Alice", age=30)
    asked = edge.weak.received[0].json["response_format"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)
    assert asked["json_schema"]["schema"]["properties"]["age"]["type"] == "integer"


async def test_completions(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """Whole and streaming; the prompt is scored."""
    edge.weak.script = says.completion(" time")
    answer = await client.completions.create(model=MODEL, prompt="Once upon a")
    assert answer.choices[0].text == " time"
    edge.weak.script = says.completion_stream(" ti", "me")
    stream = await client.completions.create(model=MODEL, prompt=["Once", "upon"], stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == " time"
    assert edge.scored == ["Once upon a", "Once\nupon"]


async def test_responses(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """Whole, streaming and structured; the last user input is scored."""
    edge.weak.script = says.response("Paris")
    answer = await client.responses.create(model=MODEL, input="Capital of France?", instructions="Be brief.")
    assert answer.output_text == "Paris"
    assert answer.usage
    assert answer.usage.input_tokens == 7
    edge.weak.script = says.response_stream("Pa", "ris")
    async with client.responses.stream(model=MODEL, input=[{"role": "user", "content": "And again?"}]) as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert (deltas, final.output_text) == (["Pa", "ris"], "Paris")
    edge.weak.script = says.response('{"name":"Alice","age":30}')
    parsed = await client.responses.parse(model=MODEL, input="Who?", text_format=Person)
    assert parsed.output_parsed == Person(name="Alice", age=30)
    assert edge.scored == ["Capital of France?", "And again?", "Who?"]


async def test_a_response_that_goes_on_names_its_backend(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """The client's error has the advice."""
    with pytest.raises(openai.BadRequestError, match="Name one of the backends as model: strong, weak") as caught:
        await client.responses.create(model=MODEL, input="Go on.", previous_response_id="resp_1")
    assert (caught.value.code, caught.value.param) == ("invalid_routing_spec", "model")
    edge.weak.script = says.response("Yes.")
    answer = await client.responses.create(model="weak", input="Go on.", previous_response_id="resp_1")
    assert answer.output_text == "Yes."


async def test_embeddings(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """By a backend's name, also in the base64 that the client asks for by itself; never by a router."""
    edge.weak.script = says.embeddings("AACAPwAAAEA=")
    answer = await client.embeddings.create(model="weak", input=["a", "b"])
    assert answer.data[0].embedding == [1.0, 2.0]
    assert edge.weak.received[0].json == {"input": ["a", "b"], "model": "weak-model", "encoding_format": "base64"}
    edge.weak.script = says.embeddings([0.5])
    answer = await client.embeddings.create(model="weak-model", input="a", encoding_format="float")
    assert answer.data[0].embedding == [0.5]
    with pytest.raises(openai.BadRequestError, match="never routed"):
        await client.embeddings.create(model=MODEL, input="a")


async def test_failures_are_the_clients_own_exceptions(client: openai.AsyncOpenAI, edge: Edge) -> None:
    """Whole or in the middle of a stream, by type and code."""
    edge.weak.script = answering(429, b"{}", retry_after="7")
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model=MODEL, messages=QUESTION)
    assert limited.value.response.headers["retry-after"] == "7"
    edge.weak.script = cutting
    with pytest.raises(openai.InternalServerError) as cut:
        await client.chat.completions.create(model=MODEL, messages=QUESTION)
    assert cut.value.code == "backend_cut"
    edge.weak.script = streaming([b'data: {"choices":[]}\n\n'], complete=False)
    with pytest.raises(openai.APIError, match="cut the connection"):
        _ = [chunk async for chunk in await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)]
    with pytest.raises(openai.APIError, match="cut the connection"):
        _ = [event async for event in await client.responses.create(model=MODEL, input="x", stream=True)]
