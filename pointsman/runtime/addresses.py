"""Which addresses only this machine can reach, and where it finds its own servers."""

from __future__ import annotations

import ipaddress
from typing import Final

_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound


def reachable(host: str) -> str:
    """Where a client on this machine finds a server bound to `host`."""
    return _ANY.get(host, host)


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an IP address with or without brackets, is this machine's loopback."""
    bare = host.removeprefix("[").removesuffix("]")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def is_local_target(target: str) -> bool:
    """The same for a gRPC target: `host:port`, `unix:path`, or one of gRPC's other schemes before addresses."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    scheme, colon, rest = target.partition(":")
    addresses = rest.lstrip("/") if colon and scheme in ("dns", "ipv4", "ipv6") else target
    return all(is_loopback(_host(address)) for address in addresses.split(","))


def _host(address: str) -> str:
    if address.startswith("["):
        return address.partition("]")[0]
    # Two colons or more and no brackets: an IPv6 address without a port.
    return address if address.count(":") > 1 else address.partition(":")[0]
