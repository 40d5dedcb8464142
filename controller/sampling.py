"""What AdminService.Calibrate calibrates on: examples, scored as they come, or the win rates of recent traffic."""

from __future__ import annotations

import asyncio
import hashlib
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from controller.scored_text import clipped
from controller.scorers import Score, Scorers, ScoringError
from controller.watch import Watch
from pointsman.calibration.certifying import Label
from pointsman.calibration.making import Data, Scorer, prompts_sha256
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.errors import InvalidRequest, NotCalibrated, Unavailable
from pointsman.v1 import admin_service_pb2

MOST_EXAMPLES: Final = 200_000
MOST_BYTES: Final = 64 << 20
"""Of all prompts together, in UTF-8: they are kept until the sample is hashed, in a process that has traffic to serve, and Python may take
four times as much for them. It is room for 50,000 prompts of 1.3 KB, and a few thousand make a sample."""
_FEWEST_RECENT: Final = 100
_AT_ONCE: Final = 16  # prompts at a scorer: the rest of its queue is traffic's
_TRIES: Final = 5
Start = admin_service_pb2.CalibrateRequest.Start
Example = admin_service_pb2.CalibrateRequest.Example


@dataclass(frozen=True, slots=True)
class Sample:
    """Win rates and whose they are."""

    scorer: Scorer
    win_rates: list[float]
    data: Data
    labels: list[Label]
    """As many as win rates, or none."""


class Sampler:
    """Scores beside the traffic, few prompts at once."""

    def __init__(self, settings: ControllerSettings, scorers: Scorers, watch: Watch, most_bytes: int = MOST_BYTES) -> None:
        self._settings = settings
        self._most_bytes = most_bytes
        self._scorers = scorers
        self._watch = watch

    async def sample(self, start: Start, examples: AsyncIterator[Example]) -> Sample:
        """The examples' win rates, or recent traffic's where there is none. Raises `InvalidRequest`, `NotCalibrated`, `Unavailable`."""
        state = self._scorers.states[start.strategy]
        if not state.ready:
            raise Unavailable(
                f"{start.strategy} isn't ready ({state.detail}); try again once `pointsman strategies` says that it is.", retry_after_s=1
            )
        scorer = Scorer(start.strategy, state.checkpoint, state.embedder)
        prompts, scores, outcomes = await self._scored(start.strategy, examples)
        if not prompts:
            return self._recent(scorer, start.name)
        if any(score.checkpoint != scorer.checkpoint for score in scores):
            raise Unavailable(
                f"The checkpoint of {start.strategy} was replaced on the way and nothing was written; try again.", retry_after_s=1
            )
        rates = [score.strong_win_rate for score in scores]
        labels = [Label(rate, *outcome) for rate, outcome in zip(rates, outcomes, strict=True)] if outcomes else []
        sha256 = await asyncio.to_thread(prompts_sha256, prompts)
        return Sample(scorer, rates, Data(start.name or "a stream", sha256), labels)

    def _recent(self, scorer: Scorer, name: str) -> Sample:
        live = self._watch.known(scorer.strategy, scorer.checkpoint)
        rates = list(live.recent) if live else []
        if len(rates) < _FEWEST_RECENT:
            raise NotCalibrated(
                f"Only {len(rates)} win rates of {scorer.strategy}'s checkpoint {scorer.checkpoint} are remembered, of {_FEWEST_RECENT} "
                "that are needed; send examples.",
                param="examples",
            )
        return Sample(scorer, rates, Data(name or "recent traffic", hashlib.sha256(array("d", sorted(rates)).tobytes()).hexdigest()), [])

    async def _scored(self, strategy: str, examples: AsyncIterator[Example]) -> tuple[list[str], list[Score], list[tuple[float, float]]]:
        """Prompts, their scores and outcomes (strong, weak; none where no example has them), in order."""
        prompts: list[str] = []
        length = 0
        outcomes: list[tuple[float, float]] = []
        tasks: list[asyncio.Task[Score]] = []
        room = asyncio.Semaphore(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                async for example in examples:
                    if len(prompts) == MOST_EXAMPLES:
                        raise InvalidRequest(f"More than {MOST_EXAMPLES:,} examples; send a sample of them.", param="examples")
                    if (length := length + len(example.prompt.encode())) > self._most_bytes:
                        raise InvalidRequest(
                            f"The examples' prompts are longer than {self._most_bytes:,} bytes together; send fewer.", param="examples"
                        )
                    outcomes += _outcomes(example, len(prompts), has=bool(outcomes) or not prompts)
                    prompts.append(example.prompt)
                    await room.acquire()
                    task = group.create_task(self._score(strategy, example.prompt))
                    task.add_done_callback(lambda _: room.release())
                    tasks.append(task)
        except* (InvalidRequest, Unavailable) as failed:
            raise failed.exceptions[0] from None
        return prompts, [task.result() for task in tasks], outcomes

    async def _score(self, strategy: str, prompt: str) -> Score:
        """Tried again where the scorer was busy or late: a sample with holes would be another sample."""
        text, _ = clipped(prompt, self._settings.max_scored_chars)
        for attempt in range(_TRIES):
            try:
                return await self._scorers.score(strategy, text, "", self._settings.scorer_timeout_s)
            except ScoringError:
                await asyncio.sleep(0.1 * 2**attempt)
        raise Unavailable(
            f"{strategy} gave no win rate for an example in {_TRIES} tries, and nothing was written; try again.", retry_after_s=5
        )


def _outcomes(example: Example, number: int, *, has: bool) -> Sequence[tuple[float, float]]:
    where = f"examples[{number}]"
    if not example.prompt.strip():
        raise InvalidRequest(f"{where}: the prompt is empty; leave the example out.", param=where)
    given = example.HasField("strong") + example.HasField("weak")
    if given == 1 or (given and not has) or (not given and has and number):
        raise InvalidRequest(f"{where}: either every example has the outcomes of both tiers, or none has any.", param=where)
    if not given:
        return []
    if not (0 <= example.strong <= 1 and 0 <= example.weak <= 1):
        raise InvalidRequest(f"{where}: outcomes must be 0 to 1.", param=where)
    return [(example.strong, example.weak)]
