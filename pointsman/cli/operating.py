"""The operator's commands, which speak to a controller's AdminService: pin and stats.

What a command needs is imported inside it, so that `--help` stays quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pointsman.cli.options import ToController

if TYPE_CHECKING:
    from pointsman.v1 import routing_pb2
    from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub

_ADDRESS: Final = "127.0.0.1:50052"

_LONGEST_S: Final = 366 * 86_400

Address = Annotated[str, typer.Option(help="The controller's gRPC address, host:port; each controller answers for itself.")]
Token = tuple[tuple[str, str], ...]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, and nothing else.")]
Timeout = Annotated[float, typer.Option(help="The deadline, in seconds.", min=0.001)]


class PinTo(StrEnum):
    """What to do with a pair."""

    STRONG = "strong"
    WEAK = "weak"
    RELEASE = "release"


def pin(
    pair: Annotated[str, typer.Argument(help="The pair's name, such as default.")],
    tier: Annotated[PinTo, typer.Argument(help="The tier to force, or release.")],
    to: ToController,
    seconds: Annotated[
        float | None, typer.Option("--for", help="Released by itself after so many seconds.", min=0.001, max=_LONGEST_S)
    ] = None,
    address: Address = _ADDRESS,
    json: Json = False,
    timeout: Timeout = 10.0,
) -> None:
    """Force every request of a pair to one tier from now on, or release it: on one controller, until it stops."""
    from google.protobuf.duration_pb2 import Duration

    from pointsman.cli.output import show_json, show_pin
    from pointsman.v1 import admin_service_pb2

    if seconds is not None and tier is PinTo.RELEASE:
        raise typer.BadParameter("release takes no --for")
    request = admin_service_pb2.PinRequest(pair=pair, tier=_tier(tier))
    if seconds is not None:
        request.duration.CopyFrom(Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))
    with _admin(address, to) as (stub, token):
        answer = stub.Pin(request, timeout=timeout, metadata=token)
    if json:
        show_json(answer)
    else:
        show_pin(answer)


class StatsBy(StrEnum):
    """What a row is of."""

    DECISION = "decision"
    CALLER = "caller"


def stats(
    to: ToController,
    by: Annotated[StatsBy, typer.Option(help="Rows by decision, or by caller, tier and backend.")] = StatsBy.DECISION,
    address: Address = _ADDRESS,
    json: Json = False,
    timeout: Timeout = 10.0,
) -> None:
    """Show what a controller has decided, spent and saved since it started."""
    from pointsman.cli.output import show_json
    from pointsman.cli.stats import show_callers, show_stats
    from pointsman.v1 import admin_service_pb2

    with _admin(address, to) as (stub, token):
        answer = stub.Stats(admin_service_pb2.StatsRequest(), timeout=timeout, metadata=token)
    if json:
        show_json(answer)
    elif by is StatsBy.CALLER:
        show_callers(answer)
    else:
        show_stats(answer)


def _tier(tier: PinTo) -> routing_pb2.Tier.ValueType:
    from pointsman.v1 import routing_pb2

    tiers = {PinTo.STRONG: routing_pb2.TIER_STRONG, PinTo.WEAK: routing_pb2.TIER_WEAK, PinTo.RELEASE: routing_pb2.TIER_UNSPECIFIED}
    return tiers[tier]


@contextmanager
def _admin(address: str, to: ToController) -> Iterator[tuple[AdminServiceStub, Token]]:
    """The controller's AdminService, and what every call carries. What fails ends the command with a sentence."""
    import grpc

    from pointsman.cli.exits import FAILED, CommandFailed
    from pointsman.cli.reporting import reported
    from pointsman.client.channel import channel_options
    from pointsman.client.failures import from_rpc_error
    from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub

    access = to.access()
    with reported(), access.channel(address, channel_options()) as channel:
        try:
            yield AdminServiceStub(channel), access.token.metadata()
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise CommandFailed(f"{address} has no AdminService; a controller has it, on port 50052 unless told.", FAILED) from None
            raise from_rpc_error(error, address) from None
