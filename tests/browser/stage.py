"""A real gateway and controller with scripted backends and scorers, for the page to speak to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.service import serving
from pointsman.calibration.files import write_record
from pointsman.calibration.record import CalibratedShare
from pointsman.runtime.gateway_settings import GatewaySettings
from tests.support.backend import ScriptedBackend, echoing, scripted_backend
from tests.support.controllers import running_controller
from tests.support.records import certified, record
from tests.support.scorers import Rate, ScriptedScorers, scripted_scorers
from tests.support.unrefused import UNREFUSED

PRICES: Final[Mapping[str, Mapping[str, Any]]] = {
    "strong": {"prompt_per_million": 10, "completion_per_million": 30},
    "weak": {"prompt_per_million": 1, "completion_per_million": 3},
}
_PAIRS: Final = {"default": {"strong": "strong", "weak": "weak", "fallback": "none"}}
_MODELS: Final = {"strong_model": "strong-model", "weak_model": "weak-model"}


@dataclass
class Stage:
    """Everything runs until `close` ends the part of that name: `gateway` or `controller`."""

    url: str
    strong: ScriptedBackend
    weak: ScriptedBackend
    scorers: ScriptedScorers
    stacks: dict[str, AsyncExitStack]

    async def close(self, part: str) -> None:
        """That service ends."""
        await self.stacks[part].aclose()


def rate_of(text: str) -> float:
    """mf's win rate: the number that a prompt ends with, else 0.4."""
    last = text.rstrip().rpartition(" ")[2]
    return float(last) if last.replace(".", "", 1).isdecimal() and float(last) <= 1 else 0.4


_RATES: Final[Mapping[str, Rate]] = {"mf": lambda prompt: rate_of(prompt.text), "bert": lambda _: 0.58, "random": lambda _: 0.5}


def _records(folder: Path) -> None:
    for strategy, low, high in (("mf", 0.0, 1.0), ("bert", 0.52, 0.62)):
        quantiles = tuple(low + (high - low) * n / 100 for n in range(101))
        shares = [(each / 10, high - (high - low) * each / 10) for each in range(1, 10)]
        found = _calibrated(shares)
        write_record(folder, record(strategy=strategy, quantiles=quantiles, thresholds=found))
    write_record(folder, certified(threshold=0.55, **_MODELS))


def _calibrated(shares: Iterable[tuple[float, float]]) -> tuple[CalibratedShare, ...]:
    return tuple(
        CalibratedShare(strong_share=share, threshold=at, threshold_low=max(0, at - 0.02), threshold_high=min(1, at + 0.02))
        for share, at in shares
    )


@asynccontextmanager
async def staged(
    folder: Path,
    keys_file: Path | None = None,
    says: Mapping[str, Rate] = _RATES,
    prices: Mapping[str, Mapping[str, Any]] = PRICES,
    pairs: Mapping[str, Any] = _PAIRS,
) -> AsyncIterator[Stage]:
    """Strategies say what `says` has: mf what its prompt ends with, bert 0.58, random 0.5. Backends echo the prompt."""
    rates = dict(says)
    stacks = {name: AsyncExitStack() for name in ("controller", "gateway")}
    records = folder / "records"
    records.mkdir()
    _records(records)
    async with (
        scripted_backend("strong", echoing) as strong,
        scripted_backend("weak", echoing) as weak,
        scripted_scorers(rates) as scorers,
        stacks["controller"],
        stacks["gateway"],
    ):
        backends = {each.name: each.settings.model_copy(update={"retries": 0}) for each in (strong, weak)}
        backends = {name: type(each).model_validate({**each.model_dump(), "prices": prices.get(name)}) for name, each in backends.items()}
        controller = await stacks["controller"].enter_async_context(
            running_controller(
                backends,
                scorers.address,
                own={"scorer_timeout_s": 30},
                strategies={name: {} for name in rates},
                pairs=pairs,
                policies={"support-bot": {"strategies": ["mf"], "threshold": 0.5}},
                records_dir=records,
            )
        )
        own: dict[str, Any] = {
            "rest_port": 0,
            "grpc_port": 0,
            "controllers": [controller.address],
            "drain_s": 0.2,
            **UNREFUSED,
            "keys_file": keys_file,
        }
        gateway = await stacks["gateway"].enter_async_context(serving(GatewaySettings(**own)))
        yield Stage(f"http://127.0.0.1:{gateway.rest_port}/", strong, weak, scorers, stacks)
