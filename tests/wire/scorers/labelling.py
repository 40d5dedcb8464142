"""A pair and a judge that say what a test wants, behind a real controller, and the command that labels by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pointsman.runtime.backend_settings import PairSettings, Prices
from scorers.offline.label.main import main
from tests.support.backend import Received, Script, ScriptedBackend, answering, scripted_backend
from tests.support.controllers import running_controller
from tests.support.scorers import scripted_scorers

NAMES = ("weak", "strong", "judge")
PRICES = {"weak": (1.0, 2.0), "strong": (10.0, 20.0), "judge": (5.0, 5.0)}
READ, WRITTEN = 50, 20
Reply = Callable[[str], str]


def saying(reply: Reply, finish_reason: str = "stop") -> Script:
    """A backend that answers the last message's text with what `reply` makes of it."""

    async def script(received: Received, writer: asyncio.StreamWriter) -> None:
        text = reply(received.json["messages"][-1]["content"])
        answer = {
            "id": "1",
            "model": "any",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": READ, "completion_tokens": WRITTEN},
        }
        await answering(200, json.dumps(answer).encode())(received, writer)

    return script


def fond_of(word: str, high: str = "[[9]]", low: str = "[[3]]") -> Reply:
    """A judge that gives `high` where it sees the word."""
    return lambda shown: f"Reasons. {high if word in shown else low}"


@dataclass
class Labelled:
    """A run of the command that has ended."""

    code: int
    told: dict[str, Any]
    err: str


@dataclass
class Bench:
    """The backends, and a folder with a file of prompts."""

    weak: ScriptedBackend
    strong: ScriptedBackend
    judge: ScriptedBackend
    address: str
    folder: Path
    capsys: Any

    @property
    def out(self) -> Path:
        """The labelled file."""
        return self.folder / "labelled.jsonl"

    @property
    def journal(self) -> Path:
        """What a run that isn't complete leaves."""
        return self.folder / "labelled.jsonl.work"

    def rows(self) -> list[Any]:
        """What was written."""
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def asked(self) -> tuple[int, int, int]:
        """Requests so far: weak, strong, judge."""
        return len(self.weak.received), len(self.strong.received), len(self.judge.received)

    def prompts(self, count: int) -> None:
        """Writes so many."""
        (self.folder / "prompts.csv").write_text("prompt\n" + "".join(f'"question, number {n}"\n' for n in range(1, count + 1)))

    def arguments(self, *more: str) -> list[str]:
        """Of the command."""
        settings = self.folder / "settings.yaml"
        data = self.folder / "prompts.csv"
        return ["--data", str(data), "--out", str(self.out), "--url", self.address, "--settings", str(settings), "--tries", "2", *more]

    async def label(self, *more: str) -> Labelled:
        """Runs it in a thread, with an event loop of its own as the command has."""
        code = await asyncio.to_thread(main, self.arguments("--yes", "--json", *more))
        printed = self.capsys.readouterr()
        told = [line for line in printed.out.splitlines() if line.startswith("{")]  # the controller logs to this process's output too
        return Labelled(code, json.loads("".join(told)) if told else {}, " ".join(printed.err.split()))


@asynccontextmanager
async def bench(folder: Path, capsys: Any) -> AsyncIterator[Bench]:
    """The weak one says `fair …`, the strong one `good …`, the judge is fond of `good`; four prompts."""
    pairs = {"default": PairSettings(strong="strong", weak="weak"), "judge": PairSettings(strong="judge", weak="judge")}
    async with AsyncExitStack() as stack:
        replies: dict[str, Reply] = {"weak": lambda text: f"fair: {text}", "strong": lambda text: f"good: {text}", "judge": fond_of("good")}
        each = {name: await stack.enter_async_context(scripted_backend(name, saying(replies[name]))) for name in NAMES}
        prices = {name: Prices(prompt_per_million=read, completion_per_million=written) for name, (read, written) in PRICES.items()}
        backends = {name: backend.settings.model_copy(update={"prices": prices[name]}) for name, backend in each.items()}
        scorers = await stack.enter_async_context(scripted_scorers({"mf": lambda _: 0.5, "random": lambda _: 0.5}))
        controller = await stack.enter_async_context(running_controller(backends, scorers.address, pairs=pairs))
        written = {
            "backends": {name: backend.model_dump(mode="json") for name, backend in backends.items()},
            "pairs": {name: pair.model_dump() for name, pair in pairs.items()},
        }
        (folder / "settings.yaml").write_text(yaml.safe_dump(written))
        found = Bench(**each, address=controller.address, folder=folder, capsys=capsys)
        found.prompts(4)
        yield found
