"""A program written for RouteLLM's Controller, whose import alone has changed.

PYTHONPATH=. python tests/clients/with_routellm.py http://localhost:6060/v1 localhost:50051
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from pointsman.routellm import Controller, RoutingError  # was: from routellm.controller import Controller, RoutingError

CAPITAL = [{"role": "user", "content": "Capital of France?"}]


def talk(client: Controller) -> dict[str, Any]:
    """What the synchronous methods give."""
    whole = client.chat.completions.create(model="router-mf-0.5", messages=CAPITAL)
    chunks = list(client.completion(router="mf", threshold=0.1, messages=CAPITAL, stream=True))
    return {
        "whole": [type(whole).__name__, whole.choices[0].message.content],
        "streamed": "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices),
        "routed": [client.route(prompt="Why?", router="mf", threshold=threshold) for threshold in (0.1, 0.9)],
        "win rates": client.batch_calculate_win_rate(["Why?", "How?"], router="mf"),
    }


async def talk_async(client: Controller) -> dict[str, Any]:
    """The same by the asynchronous ones."""
    whole = await client.chat.completions.acreate(model="router-mf-0.5", messages=CAPITAL)
    stream = await client.acompletion(model="router-mf-0.1", messages=CAPITAL, stream=True)
    return {
        "whole": [type(whole).__name__, whole.choices[0].message.content],
        "streamed": "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices]),
    }


def refusals(client: Controller) -> list[str]:
    """What a wrong router, threshold or model string says."""
    said = []
    for wrong in ({"router": "bert", "threshold": 0.5}, {"router": "mf", "threshold": 2}, {"router": "mf"}, {"model": "gpt-4"}):
        try:
            client.completion(messages=CAPITAL, **wrong)
        except RoutingError as error:
            said.append(str(error))
    return said


def main(base_url: str, address: str) -> None:
    """Prints what all of it came to."""
    client = Controller(
        routers=["mf"], strong_model="gpt-4-1106-preview", weak_model="mixtral-8x7b", api_base=base_url, api_key="any", address=address
    )
    told = {"sync": talk(client), "async": asyncio.run(talk_async(client)), "again": asyncio.run(talk_async(client))}
    print(json.dumps({**told, "refusals": refusals(client), "counts": client.model_counts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
