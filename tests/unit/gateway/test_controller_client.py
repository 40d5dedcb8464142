"""How the addresses of controllers become one gRPC target."""

from __future__ import annotations

import pytest

from gateway.controller_channel import target_of
from pointsman.runtime.settings_file import SettingsError


@pytest.mark.parametrize(
    ("controllers", "target"),
    [
        (["127.0.0.1:50052"], "ipv4:127.0.0.1:50052"),
        (["10.0.0.1:1", "10.0.0.2:2"], "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["[::1]:1", "[::2]:2"], "ipv6:[::1]:1,[::2]:2"),
        (["controller:50052"], "dns:///controller:50052"),
    ],
)
def test_addresses_become_a_target_over_which_calls_go_round(controllers: list[str], target: str) -> None:
    """IP addresses as they are; one name stands for all that DNS says."""
    assert target_of(controllers) == target


@pytest.mark.parametrize("controllers", [["a:1", "b:2"], ["127.0.0.1:1", "a:2"], ["127.0.0.1:1", "[::1]:2"], ["a"], [":1"], ["a:b"]])
def test_addresses_that_cant_be_one_target_are_wrong_settings(controllers: list[str]) -> None:
    """The message names the key."""
    with pytest.raises(SettingsError, match=r"gateway\.controllers"):
        target_of(controllers)
