"""Who may call the controller: gateways by their token or their certificate, as many as it keeps up with, and everybody asks for its
health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from pointsman.runtime.addresses import is_loopback
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.error_forms import DETAILS_KEY, NO_RETRY, to_status
from pointsman.runtime.errors import PermissionDenied, PointsmanError, Unauthenticated, wire_form
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.runtime.shedding import Shedding
from pointsman.runtime.tokens import Tokens
from pointsman.runtime.waiting import CROWDED

log = structlog.get_logger()
_HEALTH: Final = "/grpc.health.v1.Health/"
_ADMIN: Final = "/pointsman.v1.AdminService/"
_ROUTE: Final = f"/{ROUTE_SERVICE}/"
_PROBE: Final = "/ListStrategies"  # by which gateways ask for readiness
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # the class itself takes no brackets


def is_open(settings: ControllerSettings) -> bool:
    """Whether other machines may call it without saying who they are."""
    knows_callers = settings.token_env or settings.token_file or (settings.tls and settings.tls.client_certificates == "required")
    return not (knows_callers or is_loopback(settings.host))


def warn_if_open(settings: ControllerSettings) -> None:
    """Says at the start what others on the network may do or read."""
    if settings.tls is None and (settings.token_env or settings.token_file) and not is_loopback(settings.host):
        log.warning("the controller's token and all prompts cross the network in plain text; set controller.tls", host=settings.host)
    if is_open(settings):
        log.warning(
            "the controller serves anybody who can reach it, and refuses AdminService; set controller.token_file or token_env, or "
            "controller.tls with client_certificates: required",
            host=settings.host,
        )


class Guard(grpc.aio.ServerInterceptor):
    """Stands before every service: those that there are, reflection among them, and those that there aren't."""

    def __init__(self, settings: ControllerSettings, shedding: Shedding) -> None:
        """Raises `SettingsError` for a token that can't be read."""
        self._shedding = shedding
        self._tokens = Tokens("controller.token", settings.token_env, settings.token_file)
        self._needs_token = bool(settings.token_env or settings.token_file)
        self._is_open = is_open(settings)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]], handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        error = self._refusal(handler_call_details)
        return await continuation(handler_call_details) if error is None else _refusing(error)

    def _refusal(self, call: grpc.HandlerCallDetails) -> PointsmanError | None:
        method = _text(call.method)
        if method.startswith(_HEALTH):
            return None
        if self._is_open and method.startswith(_ADMIN):
            return PermissionDenied(
                "AdminService is refused: this controller listens beyond its own machine and asks nobody who they are. It answers with "
                "controller.token_file or token_env, with controller.tls and client_certificates: required, or on loopback."
            )
        if self._needs_token and not self._tokens.allow(dict(call.invocation_metadata or ())):
            return Unauthenticated("The controller's token is missing or wrong; send it as `authorization: Bearer <token>` (--token-file).")
        if not method.startswith(_ROUTE) or method.endswith(_PROBE):
            return None
        return self._shedding.refusal(lambda: CROWDED in (call.invocation_metadata or ()))


def _text(method: str | bytes) -> str:
    return method.decode("utf-8", "replace") if isinstance(method, bytes) else method


def _refusing(error: PointsmanError) -> Handler:
    """A handler for whatever kind of method: it reads nothing, so it needs no message to have come."""

    async def refuse(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        status = to_status(error)
        ending = context.abort(wire_form(error).grpc_code, error.message, ((DETAILS_KEY, status.SerializeToString()), NO_RETRY))
        del _, context  # as in controller.rpc: what is raised would keep this frame, and gRPC keeps what is raised
        await ending

    handler: Handler = grpc.stream_stream_rpc_method_handler(refuse)
    return handler
