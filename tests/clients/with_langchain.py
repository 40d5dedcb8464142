"""LangChain's ChatOpenAI: text, streams, tools and structured output, sync and async.

python tests/clients/with_langchain.py http://localhost:6060/v1 router-mf-0.1
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

QUESTION = HumanMessage("What is the weather like in A and in B?")


def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def talk(base_url: str, model: str) -> dict[str, Any]:
    """What the synchronous calls give."""
    llm = ChatOpenAI(base_url=base_url, model=model, api_key="any", max_retries=0, seed=2**53 + 1)
    whole = llm.invoke("Capital of France?")
    streamed = list(llm.stream("Capital of France?", stream_usage=True))

    with_tools = llm.bind_tools([weather], tool_choice="any", parallel_tool_calls=True)
    asked = with_tools.invoke([QUESTION])
    results = [ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in asked.tool_calls]
    answer = with_tools.invoke([QUESTION, asked, *results])

    person = llm.with_structured_output(Person, method="json_schema", strict=True).invoke("Who?")
    return {
        "whole": [type(whole).__name__, whole.content, whole.usage_metadata["total_tokens"]],
        "streamed": _summed(streamed),
        "calls": [[call["name"], call["args"], call["id"]] for call in asked.tool_calls],
        "after the tools": answer.content,
        "streamed calls": _summed(list(with_tools.stream([QUESTION])))[1],
        "structured": [type(person).__name__, person.name, person.age],
    }


async def talk_async(base_url: str, model: str) -> dict[str, Any]:
    """The same by the asynchronous ones."""
    llm = ChatOpenAI(base_url=base_url, model=model, api_key="any", max_retries=0, seed=2**53 + 1)
    whole = await llm.ainvoke("Capital of France?")
    streamed = [chunk async for chunk in llm.astream("Capital of France?", stream_usage=True)]

    with_tools = llm.bind_tools([weather], tool_choice="any", parallel_tool_calls=True)
    asked = await with_tools.ainvoke([QUESTION])
    results = [ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in asked.tool_calls]
    answer = await with_tools.ainvoke([QUESTION, asked, *results])

    person = await llm.with_structured_output(Person, method="json_schema", strict=True).ainvoke("Who?")
    return {
        "whole": [type(whole).__name__, whole.content, whole.usage_metadata["total_tokens"]],
        "streamed": _summed(streamed),
        "calls": [[call["name"], call["args"], call["id"]] for call in asked.tool_calls],
        "after the tools": answer.content,
        "streamed calls": _summed([chunk async for chunk in with_tools.astream([QUESTION])])[1],
        "structured": [type(person).__name__, person.name, person.age],
    }


def _summed(chunks: list[Any]) -> list[Any]:
    """Text and tool calls of a stream, put together by LangChain's own addition."""
    whole = sum(chunks[1:], start=chunks[0])
    return [whole.content, [[call["name"], call["args"], call["id"]] for call in whole.tool_calls]]


for place in range(1, len(sys.argv), 2):
    target = sys.argv[place : place + 2]
    print(json.dumps([talk(*target), asyncio.run(talk_async(*target))]))
