"""AdminService at the edge: who may call it, and which of its methods reach every controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.identity.guard import need_admin
from gateway.identity.keyring import Caller
from pointsman.runtime.errors import PermissionDenied
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.stats_sum import summed
from pointsman.v1 import admin_service_pb2

Joined = Callable[[Sequence[bytes]], bytes]
"""One answer of those of all controllers, at least one."""


def _first(answers: Sequence[bytes]) -> bytes:
    return answers[0]


def _sum(answers: Sequence[bytes]) -> bytes:
    return summed([admin_service_pb2.StatsResponse.FromString(answer) for answer in answers]).SerializeToString()


TO_EACH: Final[Mapping[str, Joined]] = {"Pin": _first, "Stats": _sum}
"""Methods that are of each controller by itself; a record that Calibrate makes is of all who share `records_dir`."""


def refuse_admin(settings: GatewaySettings, caller: Caller | None) -> None:
    """Raises `PermissionDenied` unless the gateway knows its callers: by the keys file an operator, else whoever has a certificate."""
    if caller:
        need_admin(caller)
    elif settings.tls is None or settings.tls.client_certificates != "required":
        raise PermissionDenied(
            "AdminService is refused here: this gateway answers callers that it doesn't know. It passes with gateway.keys_file, or with "
            "gateway.tls and client_certificates: required; or call a controller."
        )
