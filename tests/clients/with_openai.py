"""The openai package: text, streams, tools and structured output, sync and async.

python tests/clients/with_openai.py http://localhost:6060/v1 router-mf-0.1
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import openai
from pydantic import BaseModel

QUESTION = {"role": "user", "content": "What is the weather like in A and in B?"}
CAPITAL = [{"role": "user", "content": "Capital of France?"}]


class Weather(BaseModel):
    """The weather in a city."""

    city: str


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


TOOLS = [openai.pydantic_function_tool(Weather, name="weather")]


def talk(base_url: str, model: str) -> dict[str, Any]:
    """What the synchronous client gives."""
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        chat: Any = client.chat.completions
        whole = chat.create(model=model, messages=CAPITAL, seed=2**53 + 1)
        chunks = list(chat.create(model=model, messages=CAPITAL, stream=True, stream_options={"include_usage": True}))

        asked = chat.parse(model=model, messages=[QUESTION], tools=TOOLS, tool_choice="required", parallel_tool_calls=True)
        turn = asked.choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "Rain."} for call in turn.tool_calls]
        answer = chat.create(model=model, messages=[QUESTION, turn, *results], tools=TOOLS)

        with chat.stream(model=model, messages=[QUESTION], tools=TOOLS) as stream:
            streamed_calls = stream.get_final_completion()
        parsed = chat.parse(model=model, messages=CAPITAL, response_format=Person)
        with chat.stream(model=model, messages=CAPITAL, response_format=Person) as stream:
            streamed_parsed = stream.get_final_completion()
    return _understood(whole, chunks, asked, answer, streamed_calls, parsed, streamed_parsed)


async def talk_async(base_url: str, model: str) -> dict[str, Any]:
    """The same by the asynchronous one."""
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        chat: Any = client.chat.completions
        whole = await chat.create(model=model, messages=CAPITAL, seed=2**53 + 1)
        pieces = await chat.create(model=model, messages=CAPITAL, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in pieces]

        asked = await chat.parse(model=model, messages=[QUESTION], tools=TOOLS, tool_choice="required", parallel_tool_calls=True)
        turn = asked.choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "Rain."} for call in turn.tool_calls]
        answer = await chat.create(model=model, messages=[QUESTION, turn, *results], tools=TOOLS)

        async with chat.stream(model=model, messages=[QUESTION], tools=TOOLS) as stream:
            streamed_calls = await stream.get_final_completion()
        parsed = await chat.parse(model=model, messages=CAPITAL, response_format=Person)
        async with chat.stream(model=model, messages=CAPITAL, response_format=Person) as stream:
            streamed_parsed = await stream.get_final_completion()
    return _understood(whole, chunks, asked, answer, streamed_calls, parsed, streamed_parsed)


def _understood(whole: Any, chunks: Any, asked: Any, answer: Any, streamed_calls: Any, parsed: Any, streamed_parsed: Any) -> dict[str, Any]:
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    return {
        "whole": [type(whole).__name__, whole.choices[0].message.content, whole.usage.total_tokens],
        "streamed": [text, []],
        "calls": _calls(asked),
        "after the tools": answer.choices[0].message.content,
        "streamed calls": _calls(streamed_calls),
        "structured": _person(parsed),
        "streamed structured": _person(streamed_parsed),
    }


def _calls(answer: Any) -> list[Any]:
    calls = answer.choices[0].message.tool_calls
    return [[call.function.name, call.function.parsed_arguments.model_dump(), call.id] for call in calls]


def _person(answer: Any) -> list[Any]:
    person = answer.choices[0].message.parsed
    return [type(person).__name__, person.name, person.age]


for place in range(1, len(sys.argv), 2):
    target = sys.argv[place : place + 2]
    print(json.dumps([talk(*target), asyncio.run(talk_async(*target))]))
