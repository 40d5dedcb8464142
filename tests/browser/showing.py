"""What the pictures of docs/page.md show: prompts, win rates, answers and traffic, all made up."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

import httpx

from tests.browser.stage import Stage
from tests.support.backend import Received, Script, answering, streaming
from tests.support.scorers import Rate

ASKED: Final = "Compare fixed and floating exchange rates for a small open economy, with an example of each."
PROMPTS: Final[Mapping[str, float]] = {
    "What is the capital of France?": 0.08,
    "How many days are there in a leap year?": 0.11,
    "Translate 'good morning' into Spanish.": 0.12,
    "Spell the plural of 'octopus'.": 0.17,
    "Name three primary colours.": 0.18,
    "Write a haiku about rain.": 0.24,
    "Suggest a title for a talk about bees.": 0.27,
    "Rewrite this sentence in the passive: the dog chased the ball.": 0.29,
    "Give me five synonyms for 'quick'.": 0.3,
    "Which month has the shortest name?": 0.33,
    "Explain to a child why the sky is blue.": 0.38,
    "Plan a week of lunches without meat.": 0.42,
    "Summarise the causes of the First World War in three sentences.": 0.46,
    "Turn a list of dates into ISO 8601 with a shell command.": 0.51,
    "Why does bread rise more slowly in a cold kitchen?": 0.53,
    "Find the bug: for (i = 0; i <= items.length; i++) use(items[i]);": 0.57,
    ASKED: 0.63,
    "How many ways are there to climb ten stairs by ones and twos?": 0.66,
    "Write a regular expression for a time of day, and say what it misses.": 0.7,
    "Estimate how many piano tuners work in Vienna, with each step.": 0.73,
    "Prove that the square root of two is irrational.": 0.78,
    "Derive the sum of the first n cubes, and prove it by induction.": 0.84,
    "Design a lock that two threads can't both hold, and argue why.": 0.88,
    "Prove that there are infinitely many primes of the form 4n + 3.": 0.93,
}
SAYS: Final[Mapping[str, Rate]] = {
    "mf": lambda prompt: PROMPTS.get(prompt.text, 0.5),
    "bert": lambda prompt: 0.53 + 0.08 * PROMPTS.get(prompt.text, 0.5),
    "random": lambda prompt: zlib.crc32(prompt.text.encode()) / 2**32,
}
_STRONG: Final = (
    "Under a fixed rate the central bank buys and sells its currency to hold a price. Imports and debts abroad keep their cost, and trade "
    "can be planned; in exchange the bank gives up an interest rate of its own and needs reserves. Denmark does so against the euro.\n\n"
    "Under a floating rate the market sets the price. A fall in exports is met by a cheaper currency before it is met by lost work, and "
    "interest rates are free to answer at home; in exchange prices of imports swing. New Zealand does so."
)
_WEAK: Final = "A short answer, in a sentence or two, as a small model gives it."
_MODELS: Final = ("router-mf-0.5", "router-mf-30pct", "router-mf-70pct", "router-bert-0.57", "router-bert-20pct", "router:support-bot")
_AT_ONCE: Final = 8


def _telling(text: str, first_s: float) -> Script:
    """An answer of that text after so long, whole or as a stream."""

    async def script(received: Received, writer: asyncio.StreamWriter) -> None:
        asked = received.json
        prompt = asked["messages"][-1]["content"]
        await asyncio.sleep(first_s * (0.5 + zlib.crc32(prompt.encode()) / 2**32))
        own: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"]}
        tokens = len(prompt) // 4, len(text) // 4
        usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
        if not asked.get("stream"):
            choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
            await answering(200, json.dumps({**own, "choices": choices, "usage": usage}).encode())(received, writer)
            return
        deltas = [{"content": word + " "} for word in text.split(" ")]
        events = [json.dumps({**own, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in deltas]
        events += [json.dumps({**own, "choices": [], "usage": usage}), "[DONE]"]
        await streaming([f"data: {event}\n\n".encode() for event in events])(received, writer)

    return script


async def shown(stage: Stage) -> None:
    """The stage has answers and scorers that take their time, and traffic behind it."""
    stage.strong.script, stage.weak.script = _telling(_STRONG, 0.12), _telling(_WEAK, 0.04)
    stage.scorers.delays_s = {"mf": 0.006, "bert": 0.014, "random": 0.001}
    free = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(base_url=stage.url, trust_env=False, timeout=30) as client:

        async def ask(model: str, prompt: str) -> None:
            async with free:
                await client.post("v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": prompt}]})

        await asyncio.gather(*(ask(model, prompt) for prompt in PROMPTS for model in _MODELS), ask("router-mf-2", ASKED))
