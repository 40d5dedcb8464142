"""Controllers one by one, for what has to reach every one of them: a list of addresses, or one DNS name that stands for several."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControllerAt:
    """One controller's address, `host:port`."""

    address: str
    """To be called."""
    numeric: str
    """By its IP address: the same for two names of one controller."""
    server_name: str | None = None
    """What its certificate says, where that isn't the address."""


def each_controller(addresses: Iterable[str]) -> list[ControllerAt]:
    """Each once, in their order. Looks names up, which takes a while. Raises `OSError` where one can't be looked up or is no address."""
    found: dict[str, ControllerAt] = {}
    for address in addresses:
        for each in _behind(address):
            found.setdefault(each.numeric, each)
    return list(found.values())


def _behind(address: str) -> Iterator[ControllerAt]:
    if "/" in address:  # one of gRPC's own forms, such as unix:/path
        yield ControllerAt(address, address)
        return
    name, _, port = address.rpartition(":")
    host = name.strip("[]")
    if not host or not port.isdecimal():
        raise OSError(f"an address reads host:port, not {address!r}")
    try:
        yield ControllerAt(address, f"{ipaddress.ip_address(host)}:{port}")
        return
    except ValueError:
        numbers = _looked_up(host, int(port))
    if len(numbers) == 1:
        yield ControllerAt(address, f"{numbers[0]}:{port}")
        return
    for number in numbers:
        yield ControllerAt(f"[{number}]:{port}" if ":" in number else f"{number}:{port}", f"{number}:{port}", host)


def _looked_up(host: str, port: int) -> list[str]:
    """IP addresses of one version, version 4 where there are any: with both, one controller would be there twice."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    version = socket.AF_INET if any(family is socket.AF_INET for family, *_ in found) else socket.AF_INET6
    return sorted({str(at[0]) for family, _, _, _, at in found if family is version})
