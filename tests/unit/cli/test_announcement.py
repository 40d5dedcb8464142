"""What `pointsman up` says once all is ready."""

from __future__ import annotations

from pathlib import Path

from pointsman.cli.announcement import announcement
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.settings import Settings


def test_the_curl_line_has_a_place_for_a_key_where_the_gateway_asks_for_one() -> None:
    """And none where it asks nobody."""
    assert "authorization" not in announcement(Settings(), 1)
    assert "any key" in announcement(Settings(), 1)
    said = announcement(Settings(gateway=GatewaySettings(keys_file=Path("keys.yaml"))), 1)
    assert '-H "authorization: Bearer $POINTSMAN_API_KEY"' in said
    assert "a key of keys.yaml" in said
