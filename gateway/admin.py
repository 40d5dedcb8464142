"""Who may call AdminService at the edge."""

from __future__ import annotations

from gateway.identity.guard import need_admin
from gateway.identity.keyring import Caller
from pointsman.runtime.errors import PermissionDenied
from pointsman.runtime.gateway_settings import GatewaySettings


def refuse_admin(settings: GatewaySettings, caller: Caller | None) -> None:
    """Raises `PermissionDenied` unless the gateway knows its callers: by the keys file an operator, else whoever has a certificate."""
    if caller:
        need_admin(caller)
    elif settings.tls is None or settings.tls.client_certificates != "required":
        raise PermissionDenied(
            "AdminService is refused here: this gateway answers callers that it doesn't know. It passes with gateway.keys_file, or with "
            "gateway.tls and client_certificates: required; or call a controller."
        )
