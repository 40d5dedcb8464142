"""From win rates to records: what `pointsman calibrate`, `pointsman certify` and AdminService.Calibrate have in common."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from pointsman.calibration.betting import fewest
from pointsman.calibration.certificate import Certificate, CertifiedSlice
from pointsman.calibration.certifying import Certified, Label, certify, grid_of
from pointsman.calibration.quantiles import DRAWS, estimated, quantile
from pointsman.calibration.record import DIGITS, CalibratedShare, CalibrationRecord, now
from pointsman.runtime.decide import is_strong
from pointsman.runtime.errors import InvalidRequest

SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
VALID_DAYS: Final = 90
_QUANTILES: Final = 1001
_CERTIFICATE_QUANTILES: Final = 101
_FOR_GRID: Final = 10  # one in so many labels, where nothing else gives the thresholds to try


@dataclass(frozen=True, slots=True)
class Scorer:
    """Who gave the win rates."""

    strategy: str
    checkpoint: str
    embedder: str


@dataclass(frozen=True, slots=True)
class Data:
    """What was scored."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Promise:
    """What is to be certified, and for whom."""

    pair: str
    strong_model: str
    weak_model: str
    judge: str
    max_quality_loss: float
    delta: float
    expires: datetime


def calibration_record(
    scorer: Scorer, win_rates: Sequence[float], data: Data, shares: Sequence[float], *, draws: int = DRAWS, seed: int = 0
) -> CalibrationRecord:
    """The record of one strategy's win rates for a sample. Raises `InvalidRequest` where they can't tell prompts apart."""
    ordered = _parting(scorer, win_rates)
    draw = random.Random(seed)
    estimates = [(share, estimated(ordered, 1 - share, draw, draws)) for share in shares]
    return CalibrationRecord(
        **asdict(scorer),
        data=data.name,
        data_sha256=data.sha256,
        sample_size=len(ordered),
        created=now(),
        quantiles=_quantiles(ordered, _QUANTILES),
        thresholds=tuple(
            CalibratedShare(
                strong_share=share,
                threshold=round(found.value, DIGITS),
                threshold_low=round(found.low, DIGITS),
                threshold_high=round(found.high, DIGITS),
            )
            for share, found in estimates
        ),
    )


def certificate(
    scorer: Scorer, labels: Sequence[Label], slices: Sequence[str], data: Data, promise: Promise, record: CalibrationRecord | None
) -> Certificate:
    """The certificate of the largest weak share that keeps the promise.

    `slices` names each label's, or is empty; each is tested at delta divided by how many there are, and all must pass. The thresholds
    that are tried are percentiles of the calibration record, or, without one that is of other prompts, of a tenth of the labels, which
    then aren't tested.
    Raises `InvalidRequest` where nothing but strong alone can be certified.
    """
    _parting(scorer, [label.strong_win_rate for label in labels])
    grid, tested, source = _grid(labels, record if record and record.data_sha256 != data.sha256 else None)
    whole = [labels[i] for i in tested]
    parts = _by_name([slices[i] for i in tested], whole) if slices else {"": whole}
    each_delta = promise.delta / len(parts)
    found = {name: _certified(name, part, grid, promise.max_quality_loss, each_delta) for name, part in parts.items()}
    threshold = min(each.threshold for each in found.values())
    overall = certify(whole, [threshold], promise.max_quality_loss, promise.delta) if slices else found[""]
    # All slices passed at a smaller delta, so that their union nearly always does; where it doesn't, its bound is the promise itself.
    return Certificate(
        **asdict(scorer),
        **asdict(promise),
        data=data.name,
        data_sha256=data.sha256,
        sample_size=len(whole),
        created=now(),
        quantiles=_quantiles(sorted(label.strong_win_rate for label in labels), _CERTIFICATE_QUANTILES),
        threshold=threshold,
        weak_share=_mean(not is_strong(label.strong_win_rate, threshold) for label in whole),
        loss=round(_mean(label.loss(threshold) for label in whole), DIGITS),
        bound=overall.bound if overall else promise.max_quality_loss,
        slices=tuple(CertifiedSlice(name=name, **asdict(each)) for name, each in found.items()) if slices else (),
        grid=source,
    )


def expiry(days: float = VALID_DAYS) -> datetime:
    """So many days from now."""
    return now() + timedelta(days=days)


def share_of_budget(spend: float, strong: float, weak: float) -> float:
    """The strong share that costs `spend` per 1,000 requests, where they cost `strong` or `weak`. Raises `InvalidRequest` outside of it."""
    if not weak < strong:
        raise InvalidRequest(f"Strong must cost more than weak; 1,000 requests cost {strong:g} on strong and {weak:g} on weak.")
    if not weak <= spend <= strong:
        raise InvalidRequest(f"A budget of {spend:g} is outside of what routing can cost, {weak:g} (all weak) to {strong:g} (all strong).")
    return (spend - weak) / (strong - weak)


def prompts_sha256(prompts: Sequence[str]) -> str:
    """64 hex digits over the prompts, whatever their order."""
    digest = hashlib.sha256(b"[")
    for number, prompt in enumerate(sorted(prompts)):  # as JSON's text of the list, of which only a prompt at a time is in memory
        digest.update(f"{', ' if number else ''}{json.dumps(prompt)}".encode())
    digest.update(b"]")
    return digest.hexdigest()


def _parting(scorer: Scorer, win_rates: Sequence[float]) -> list[float]:
    if len(win_rates) < 2:
        raise InvalidRequest(f"{len(win_rates)} prompts are too few to calibrate on; two are the least, and hundreds say more.")
    ordered = sorted(win_rates)
    if ordered[0] == ordered[-1]:
        raise InvalidRequest(f"{scorer.strategy} gives every prompt the same win rate, so no threshold parts them; take other prompts.")
    return ordered


def _quantiles(ordered: Sequence[float], most: int) -> tuple[float, ...]:
    count = min(most, len(ordered))
    return tuple(round(quantile(ordered, place / (count - 1)), DIGITS) for place in range(count))


def _grid(labels: Sequence[Label], record: CalibrationRecord | None) -> tuple[list[float], Sequence[int], str]:
    """The thresholds to try, which labels are tested, and where the thresholds come from."""
    if record:
        return grid_of(record.quantiles), range(len(labels)), f"calibration record {record.name}"
    order = list(range(len(labels)))
    random.Random(len(labels)).shuffle(order)
    aside, tested = order[: -(-len(order) // _FOR_GRID)], order[-(-len(order) // _FOR_GRID) :]
    return (
        grid_of([labels[i].strong_win_rate for i in aside]),
        sorted(tested),
        f"{len(aside)} of the labelled prompts, which weren't tested",
    )


def _certified(name: str, labels: Sequence[Label], grid: Sequence[float], limit: float, delta: float) -> Certified:
    if found := certify(labels, grid, limit, delta):
        return found
    of_slice = f" in the slice {name[:64]!r}" if name else ""
    needed = fewest(limit, delta)
    why = (
        f"it takes {needed} labelled prompts at least" if len(labels) < needed else "the labels don't bear it out, not even for 1 % to weak"
    )
    raise InvalidRequest(
        f"With {len(labels)} labelled prompts{of_slice} no weak share can be certified to lose at most {limit:g} "
        f"with confidence {1 - delta:g}: {why}."
    )


def _by_name(names: Sequence[str], labels: Sequence[Label]) -> Mapping[str, list[Label]]:
    parts: dict[str, list[Label]] = {}
    for name, label in zip(names, labels, strict=True):
        parts.setdefault(name, []).append(label)
    return dict(sorted(parts.items()))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(sum(found)) / len(found)
