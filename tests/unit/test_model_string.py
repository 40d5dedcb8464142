"""RouteLLM's model string, read strictly."""

from __future__ import annotations

import pytest

from pointsman.runtime.errors import InvalidModelString
from pointsman.runtime.model_string import parse_model_string


@pytest.mark.parametrize(
    ("model", "threshold"),
    [
        ("router-mf-0.1", 0.1),
        ("router-mf-0", 0.0),
        ("router-mf-1", 1.0),
        ("router-mf-1e-05", 1e-05),
        ("router-mf-.5", 0.5),
        ("router-mf-1.", 1.0),
    ],
)
def test_a_decimal_is_a_threshold(model: str, threshold: float) -> None:
    """What RouteLLM's users write, and what an f-string prints for a small number."""
    spec = parse_model_string(model)
    assert list(spec.strategies) == ["mf"]
    assert spec.threshold == threshold


def test_a_percentage_is_a_strong_share() -> None:
    """`30pct` asks for three calls in ten to go to strong."""
    spec = parse_model_string("router-sw_ranking-30pct")
    assert list(spec.strategies) == ["sw_ranking"]
    assert spec.strong_share == pytest.approx(0.3)


def test_a_plus_joins_strategies() -> None:
    """Several strategies share one threshold."""
    assert list(parse_model_string("router-mf+bert-0.3").strategies) == ["mf", "bert"]


def test_a_colon_names_a_policy() -> None:
    """Thresholds change without redeploying callers."""
    assert parse_model_string("router:support-bot").policy == "support-bot"


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("", "it is empty"),
        ("gpt-4", "names neither a router nor a backend"),
        ("routerX-mf-0.5", "names neither a router nor a backend"),
        ("Router-mf-0.5", "names neither a router nor a backend"),
        ("router-mf", "the threshold is missing"),
        ("router-mf-", "the threshold is missing"),
        ("router--0.5", "the strategy's name is missing"),
        ("router-MF-0.5", "the strategy's name is missing or has a character"),
        ("router-mf+-0.5", "the strategy's name is missing or has a character"),
        ("router-mf-2", "the threshold must be 0 to 1"),
        ("router-mf-1e9", "the threshold must be 0 to 1"),
        ("router-mf-101pct", "the strong share must be 0pct to 100pct"),
        ("router-mf-nan", "is not a decimal number"),
        ("router-mf-inf", "is not a decimal number"),
        ("router-mf-0x1", "is not a decimal number"),
        ("router-mf-0.1_5", "is not a decimal number"),
        ("router-mf- 0.5 ", "is not a decimal number"),
        ("router-mf-+0.5", "is not a decimal number"),
        ("router-mf-0.5\n", "is not a decimal number"),
        ("router-mf-\u0660.\u0665", "is not a decimal number"),
        ("router:", "a policy's name"),
        ("router-mf-0." + "1" * 400, "is not a decimal number"),
    ],
)
def test_anything_else_is_refused_and_told_what_is_right(model: str, complaint: str) -> None:
    """The message says what is wrong, gives an example, and stays short however long the string is."""
    with pytest.raises(InvalidModelString) as caught:
        parse_model_string(model)
    assert complaint in caught.value.message
    assert "router-mf-0.1" in caught.value.message
    assert len(caught.value.message) < 500
    assert caught.value.param == "model"
