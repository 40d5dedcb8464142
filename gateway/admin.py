"""Who may call AdminService at the edge."""

from __future__ import annotations

from pointsman.runtime.errors import PermissionDenied
from pointsman.runtime.settings import GatewaySettings


def refuse_admin(settings: GatewaySettings) -> None:
    """Raises `PermissionDenied` unless the gateway knows its callers: then whoever gets through is an operator."""
    if settings.tls is None or settings.tls.client_certificates != "required":
        raise PermissionDenied(
            "AdminService is refused here: this gateway answers callers that it doesn't know. It passes with gateway.tls and "
            "client_certificates: required; or call a controller."
        )
