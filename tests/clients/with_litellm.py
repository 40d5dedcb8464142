"""litellm's completion and acompletion: text, streams and tools.

python tests/clients/with_litellm.py http://localhost:6060/v1 router-mf-0.1
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else litellm fetches its prices when it is imported

import litellm

litellm.suppress_debug_info = True  # of models whose price it doesn't know
QUESTION = {"role": "user", "content": "What is the weather like in A and in B?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The weather in a city.", "parameters": PARAMETERS}}]
CAPITAL = [{"role": "user", "content": "Capital of France?"}]


def talk(base_url: str, model: str) -> dict[str, Any]:
    """What the synchronous calls give."""
    to = {"model": f"openai/{model}", "api_base": base_url, "api_key": "any", "max_retries": 0}
    whole = litellm.completion(messages=CAPITAL, seed=2**53 + 1, **to)
    streamed = list(litellm.completion(messages=CAPITAL, stream=True, stream_options={"include_usage": True}, **to))

    asked = litellm.completion(messages=[QUESTION], tools=TOOLS, tool_choice="required", parallel_tool_calls=True, **to)
    turn = asked.choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "Rain."} for call in turn.tool_calls]
    answer = litellm.completion(messages=[QUESTION, turn, *results], tools=TOOLS, **to)
    return {
        "whole": [type(whole).__name__, whole.choices[0].message.content, whole.usage.total_tokens],
        "streamed": _rebuilt(streamed),
        "calls": _calls(turn),
        "after the tools": answer.choices[0].message.content,
        "streamed calls": _rebuilt(list(litellm.completion(messages=[QUESTION], tools=TOOLS, stream=True, **to)))[1],
    }


async def talk_async(base_url: str, model: str) -> dict[str, Any]:
    """The same by the asynchronous ones."""
    to = {"model": f"openai/{model}", "api_base": base_url, "api_key": "any", "max_retries": 0}
    whole = await litellm.acompletion(messages=CAPITAL, seed=2**53 + 1, **to)
    stream = await litellm.acompletion(messages=CAPITAL, stream=True, stream_options={"include_usage": True}, **to)
    streamed = [chunk async for chunk in stream]

    asked = await litellm.acompletion(messages=[QUESTION], tools=TOOLS, tool_choice="required", parallel_tool_calls=True, **to)
    turn = asked.choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "Rain."} for call in turn.tool_calls]
    answer = await litellm.acompletion(messages=[QUESTION, turn, *results], tools=TOOLS, **to)
    calls = [chunk async for chunk in await litellm.acompletion(messages=[QUESTION], tools=TOOLS, stream=True, **to)]
    return {
        "whole": [type(whole).__name__, whole.choices[0].message.content, whole.usage.total_tokens],
        "streamed": _rebuilt(streamed),
        "calls": _calls(turn),
        "after the tools": answer.choices[0].message.content,
        "streamed calls": _rebuilt(calls)[1],
    }


def _rebuilt(chunks: list[Any]) -> list[Any]:
    """Text and tool calls of a stream, put together by litellm's own helper."""
    message = litellm.stream_chunk_builder(chunks).choices[0].message
    return [message.content, _calls(message)]


def _calls(message: Any) -> list[Any]:
    return [[call.function.name, json.loads(call.function.arguments), call.id] for call in message.tool_calls or []]


for place in range(1, len(sys.argv), 2):
    target = sys.argv[place : place + 2]
    print(json.dumps([talk(*target), asyncio.run(talk_async(*target))]))
