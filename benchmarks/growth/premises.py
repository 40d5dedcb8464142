"""The report's beginning: what was measured, what is assumed, and whether the simulator can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.growth.measured import Measured
from benchmarks.growth.planner import Assumptions
from benchmarks.growth.text import table


@dataclass(frozen=True, slots=True)
class Check:
    """A figure by theory or reality, and by the simulator."""

    what: str
    expected: float
    simulated: float


def head(measured: Measured, arguments: str, date: str, words: int, assumed: Assumptions) -> str:
    """Commands, machine, versions, what is measured and what assumed."""
    raw = measured.raw
    where, cpu = raw["measured"], raw["cpu_ms_per_decision"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    sources = "\n".join(f"  - `{name}`: {source}." for name, source in raw["sources"].items())
    return f"""# Past one machine

    .venv/bin/{where["command"]}
    .venv/bin/python -m benchmarks.growth {arguments}

- Measured {where["date"]} on {where["machine"]}, load {where["load"][0]} to {where["load"][1]}; {versions}: each
  strategy's shipped checkpoint as a replica builds it, medians of processor seconds of one thread, no cache (growth/measured.json).
- Not measured by that run, in the same file with their sources: a decision takes {cpu["gateway"]:g} ms of a gateway and
  {cpu["controller"]:g} ms of a controller, and a call to a scorer {cpu["serve_per_call"]:g} ms of Serve
  ({raw["haproxy_ms_per_call"]:g} ms of it HAProxy's).
{sources}
- Planned {date}. Assumed, for no price here is anybody's: {assumed.vcpu_hour:g} for a vCPU-hour, {assumed.gib_hour:g} for a GiB-hour and
  {assumed.gpu_hour:g} for a GPU-hour, in any currency; a vCPU, as fast as a core here, for every process; gateways and controllers
  planned at {assumed.process_use:.0%} of theirs; nodes of {assumed.node_vcpu} vCPUs and {assumed.node_gib:g} GiB; every prompt differs, and
  has {words} words of one token each where nothing else is said. Backends aren't counted.
- Enough means: p99 of scoring within the model's time for a full batch ({assumed.max_batch} prompts) and
  {assumed.target_ms:g} ms, and fewer than {assumed.loss:.1%} of prompts refused or too late (2 s). Arrivals are Poisson.
- Simulated are controllers' coalescing, their connections, HAProxy's choice and replicas, {assumed.prompts:,} prompts or more. A replica
  has one core, for its model and its calls. Nothing fails: add a replica of each strategy, and a node, for that. Past some
  {assumed.slice_replicas} replicas a slice of the traffic is simulated, with its share of controllers and replicas, and multiplied:
  such rows say how many slices there are, and their replicas are a multiple of that.
- GPUs: nothing here was measured on one, so that no GPU figure is shown. `gpus` in measured.json (by strategy, of a replica) is
  what GPU-hours are counted by, once somebody measures."""


def services(measured: Measured) -> str:
    """What everything else rests on."""
    columns = ("strategy", "words", "ms a batch", "ms a prompt", "largest error of the line", "prompts/s alone", "prompts/s by 16")
    rows = [
        (strategy, str(words), f"{fit.service.per_batch * 1e3:.4g}", f"{fit.service.per_prompt * 1e3:.4g}", f"{fit.error:.0%}",
         f"{1 / fit.service(1):,.0f}", f"{16 / fit.service(16):,.0f}")
        for strategy, by_words in measured.fits.items() for words, fit in by_words.items()
    ]  # fmt: skip
    said = (
        "The line through batches of 1 to 32 prompts, by relative error. A call's own CPU in the replica comes on top. "
        "Longer prompts cost what 256 words do: no model's window is longer (512 words are in scorers.md)."
    )
    return f"## Service times\n\n{said}\n\n{table(columns, rows)}"


def checks(theory: Iterable[Check], real: Iterable[Check], load: float) -> str:
    """The simulator against what is known."""
    rows = [(each.what, f"{each.expected:.3g}", f"{each.simulated:.3g}") for each in (*theory, *real)]
    said = (
        "Beside queueing theory, and beside the real `Batcher` with a model that sleeps: on a clock that only timers move, and on this "
        f"machine's, where other processes (load {load:.1f}) make sleeps longer. "
        "More of both: tests/unit/benchmarks/test_simulator.py."
    )
    return f"## The simulator\n\n{said}\n\n{table(('what', 'expected', 'simulated'), rows)}"
