"""The operator's commands, which speak to every controller's AdminService: pin and stats.

What a command needs is imported inside it, so that `--help` stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from pointsman.cli.options import ToController

if TYPE_CHECKING:
    from pointsman.cli.exits import CommandFailed
    from pointsman.runtime.client_tls import ControllerAccess
    from pointsman.runtime.each_controller import ControllerAt
    from pointsman.v1 import admin_service_pb2, routing_pb2
    from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub

Answer = TypeVar("Answer", "admin_service_pb2.PinResponse", "admin_service_pb2.StatsResponse")
_LONGEST_S: Final = 366 * 86_400

Address = Annotated[
    list[str] | None,
    typer.Option(help="A controller's gRPC address, host:port, or several, an option each; else all controllers.", show_default=False),
]
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
    address: Address = None,
    json: Json = False,
    timeout: Timeout = 10.0,
) -> None:
    """Force every request of a pair to one tier from now on, or release it: on every controller, until it stops."""
    from google.protobuf.duration_pb2 import Duration

    from pointsman.cli.output import show_json, show_pin
    from pointsman.v1 import admin_service_pb2

    if seconds is not None and tier is PinTo.RELEASE:
        raise typer.BadParameter("release takes no --for")
    request = admin_service_pb2.PinRequest(pair=pair, tier=_tier(tier))
    if seconds is not None:
        request.duration.CopyFrom(Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))
    answers = _from_each(address, to, lambda stub, token: stub.Pin(request, timeout=timeout, metadata=token))
    if json:
        show_json(answers[0])
    else:
        show_pin(answers[0], len(answers))


class StatsBy(StrEnum):
    """What a row is of."""

    DECISION = "decision"
    CALLER = "caller"


def stats(
    to: ToController,
    by: Annotated[StatsBy, typer.Option(help="Rows by decision, or by caller, tier and backend.")] = StatsBy.DECISION,
    address: Address = None,
    json: Json = False,
    timeout: Timeout = 10.0,
) -> None:
    """Show what all controllers have decided, spent and saved since they started."""
    from pointsman.cli.output import show_json
    from pointsman.cli.stats import show_callers, show_stats
    from pointsman.runtime.stats_sum import summed
    from pointsman.v1 import admin_service_pb2

    request = admin_service_pb2.StatsRequest()
    answers = _from_each(address, to, lambda stub, token: stub.Stats(request, timeout=timeout, metadata=token))
    answer = summed(answers)
    if json:
        show_json(answer)
    elif by is StatsBy.CALLER:
        show_callers(answer, len(answers))
    else:
        show_stats(answer, len(answers))


def _tier(tier: PinTo) -> routing_pb2.Tier.ValueType:
    from pointsman.v1 import routing_pb2

    tiers = {PinTo.STRONG: routing_pb2.TIER_STRONG, PinTo.WEAK: routing_pb2.TIER_WEAK, PinTo.RELEASE: routing_pb2.TIER_UNSPECIFIED}
    return tiers[tier]


def _from_each(addresses: Sequence[str] | None, to: ToController, call: Callable[[AdminServiceStub, Token], Answer]) -> list[Answer]:
    """What each controller answers: those of the addresses, else those of the settings, and then all that they name themselves.

    All are asked, whatever one of them says. Raises `CommandFailed` where one fails.
    """
    import socket

    from pointsman.cli.exits import UNREACHABLE, USAGE, CommandFailed
    from pointsman.cli.progress import waiting
    from pointsman.runtime.each_controller import each_controller

    access = to.access()
    answers: dict[str, Answer | CommandFailed] = {}

    def ask(named: Iterable[str]) -> list[str]:
        """Those who haven't been asked yet; gives all who were named."""
        try:
            places = each_controller(named)
        except OSError as error:
            code = UNREACHABLE if isinstance(error, socket.gaierror) else USAGE
            raise CommandFailed(f"a controller's address can't be used: {error.strerror or error}", code) from None
        for at in places:
            if at.numeric not in answers:
                answers[at.numeric] = _answer(at, access, call)
        return [at.numeric for at in places]

    with waiting("asking controllers"):
        asked = ask(addresses or access.controllers)
        if not addresses:
            listed = {name: None for answer in answers.values() if not isinstance(answer, CommandFailed) for name in answer.controllers}
            # By the name that it was asked under first, one of them may be there a second time: only what is listed counts.
            asked = ask(listed) or asked
    return _whole({number: answers[number] for number in asked})


def _whole(answers: Mapping[str, Answer | CommandFailed]) -> list[Answer]:
    """Raises `CommandFailed` in the words of one that failed, with how many of the others didn't."""
    from pointsman.cli.exits import CommandFailed

    done = [answer for answer in answers.values() if not isinstance(answer, CommandFailed)]
    for at, failed in answers.items():
        if isinstance(failed, CommandFailed):
            if not done:
                raise failed
            others = f"{len(done)} of {len(answers)} controllers did it; not the one at {at} (--address names those to be asked):"
            raise CommandFailed(f"{others}\n{failed.message}", failed.exit_code)
    return done


def _answer(at: ControllerAt, access: ControllerAccess, call: Callable[[AdminServiceStub, Token], Answer]) -> Answer | CommandFailed:
    """The controller's answer, or how it failed, in a sentence."""
    import grpc

    from pointsman.cli.exits import FAILED, CommandFailed
    from pointsman.cli.reporting import reported
    from pointsman.client.channel import channel_options
    from pointsman.client.failures import from_rpc_error
    from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub

    try:
        with reported(), access.channel(at.address, channel_options(), at.server_name) as channel:
            try:
                return call(AdminServiceStub(channel), access.token.metadata())
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    said = f"{at.address} has no AdminService; a controller has it, on port 50052 unless told."
                    raise CommandFailed(said, FAILED) from None
                raise from_rpc_error(error, at.address) from None
    except CommandFailed as failed:
        return failed
