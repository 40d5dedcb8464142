"""Every gRPC service of the gateway but the health checks needs a key: reflection, and what isn't there at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc

from gateway.identity.guard import Guard
from pointsman.runtime.error_forms import DETAILS_KEY, to_status
from pointsman.runtime.errors import Unauthenticated, Unimplemented, wire_form
from pointsman.runtime.grpc_server import ADMIN_SERVICE, ROUTE_SERVICE
from pointsman.runtime.peers import names_of_grpc_peer

_OPEN: Final = "/grpc.health.v1.Health/"
# They ask for themselves, so that their refusals are in the log and the metrics like their answers.
_ITS_OWN: Final = (f"/{ROUTE_SERVICE}/", f"/{ADMIN_SERVICE}/")


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Identifies before a message is read."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if not self._guard.asks_for_keys or method.startswith(_OPEN) or (handler and method.startswith(_ITS_OWN)):
            return handler
        inner: Any = handler.stream_stream if handler else None

        async def guarded(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
            try:
                self._guard.identify(said, lambda: names_of_grpc_peer(context))
                if inner is None:
                    raise Unimplemented(f"There is no {method[:100]} here; protos/ has the calls that there are.")
            except (Unauthenticated, Unimplemented) as error:
                await context.abort(wire_form(error).grpc_code, error.message, ((DETAILS_KEY, to_status(error).SerializeToString()),))
            async for answer in inner(requests, context):
                yield answer

        return grpc.stream_stream_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer if handler else None,
            response_serializer=handler.response_serializer if handler else None,
        )
