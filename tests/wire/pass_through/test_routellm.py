"""A program of RouteLLM's: its Controller is ours, the service does the rest."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.product import ROOT
from tests.wire.pass_through.conftest import Edge
from tests.wire.pass_through.test_other_clients import PYTHON, acts, running

_FROM_HERE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make test installs openai; by hand: make .venv/clients/installed")


async def test_a_program_of_routellms_runs_by_a_changed_import(edge: Edge) -> None:
    """openai's own answers, RouteLLM's own words for what can't be, and the caller's own names of the models."""
    edge.weak.script = edge.strong.script = acts
    script = f"{_FROM_HERE}import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    printed = await running("-c", script, str(ROOT / "tests/clients/with_routellm.py"), f"{edge.url}/v1", edge.grpc)
    told = json.loads(printed)
    answers = {"whole": ["ChatCompletion", "Paris"], "streamed": "Paris"}
    strong, weak = "gpt-4-1106-preview", "mixtral-8x7b"
    assert told["sync"] == {**answers, "routed": [strong, weak], "win rates": [pytest.approx(0.4)] * 2}  # mf says 0.4 to everything
    assert told["async"] == told["again"] == answers
    assert told["refusals"] == [
        "Invalid router bert. Available routers are ['mf'].",
        "Invalid threshold 2. Threshold must be a float between 0.0 and 1.0.",
        "Router or threshold unspecified.",
        "Invalid model gpt-4. Model name must be of the format 'router-[router name]-[threshold].",
    ]
    assert told["counts"] == {"mf": {weak: 3, strong: 3}}
    assert (len(edge.weak.received), len(edge.strong.received)) == (3, 3)


async def test_the_guides_example_runs(edge: Edge) -> None:
    """docs/migrating.md's, at this address."""
    edge.weak.script = edge.strong.script = acts
    guide = (ROOT / "docs/migrating.md").read_text().replace("http://127.0.0.1:6060", edge.url).replace("127.0.0.1:50051", edge.grpc)
    [example] = re.findall(r"```python\n(from pointsman.*?)```", guide, re.DOTALL)
    printed = await running("-c", f"{_FROM_HERE}\n{example}")
    assert printed.decode().splitlines() == ["mixtral-8x7b-instruct-v0.1", "[0.4, 0.4]"]
