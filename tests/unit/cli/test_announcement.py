"""What `pointsman up` says once all is ready."""

from __future__ import annotations

from pathlib import Path

from pointsman.cli.announcement import announcement
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.settings import Settings


def test_it_says_where_the_page_is_unless_there_is_none() -> None:
    """Of this gateway."""
    assert "  page    http://127.0.0.1:6060  " in announcement(Settings(), 1)
    assert "page" not in announcement(Settings(gateway=GatewaySettings(page=False)), 1)


def test_it_says_who_answers_on_each_tier() -> None:
    """So whoever named backends sees that these were taken; and the local LLMs where none is named."""
    strong, weak = ({"base_url": f"http://127.0.0.1:{port}/v1", "model": model} for port, model in ((7001, "big"), (7002, "small")))
    said = announcement(Settings.model_validate({"backends": {"strong": strong, "weak": weak}}), 1)
    assert "  strong  big at http://127.0.0.1:7001/v1\n  weak    small at http://127.0.0.1:7002/v1\n" in said
    assert "  weak    smollm2-135m-instruct-weak at http://127.0.0.1:6072/v1\n" in announcement(Settings(), 1)
    pairs = {"code": {"strong": "strong", "weak": "weak"}}
    assert " at http" not in announcement(Settings.model_validate({"backends": {"strong": strong, "weak": weak}, "pairs": pairs}), 1)


def test_the_curl_line_has_a_place_for_a_key_where_the_gateway_asks_for_one() -> None:
    """And none where it asks nobody."""
    assert "authorization" not in announcement(Settings(), 1)
    assert "any key" in announcement(Settings(), 1)
    said = announcement(Settings(gateway=GatewaySettings(keys_file=Path("keys.yaml"))), 1)
    assert '-H "authorization: Bearer $POINTSMAN_API_KEY"' in said
    assert "a key of keys.yaml" in said
