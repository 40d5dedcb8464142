"""What the client makes of a call that failed."""

from __future__ import annotations

import pickle

import grpc
import pytest

from pointsman.client import AnswerCut, RouteError, Unreachable
from pointsman.client.failures import from_rpc_error
from pointsman.client.streamed import Streamed
from pointsman.runtime.error_forms import DETAILS_KEY, to_status
from pointsman.runtime.errors import BackendRejected, InvalidModelString, Overloaded, PointsmanError

ADDRESS = "router.example:50051"


def failed(code: grpc.StatusCode, details: str = "", error: PointsmanError | None = None) -> RouteError:
    """What is raised for a call that ended so."""
    trailing = grpc.aio.Metadata(*([(DETAILS_KEY, to_status(error, "id-1").SerializeToString())] if error else []))
    return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details), ADDRESS)


def test_what_to_act_on_is_an_attribute() -> None:
    """Seconds as a number, so that a caller can wait for them; None where there is nothing to say."""
    full = failed(grpc.StatusCode.RESOURCE_EXHAUSTED, error=Overloaded("full", retry_after_s=1.5))
    assert (full.reason, full.retry_after_s, full.http_status, full.param, full.request_id) == ("OVERLOADED", 1.5, 429, None, "id-1")
    wrong = failed(grpc.StatusCode.INVALID_ARGUMENT, error=InvalidModelString("no", param="model"))
    assert (wrong.retry_after_s, wrong.param, wrong.backend) == (None, "model", None)
    rejected = failed(grpc.StatusCode.INVALID_ARGUMENT, error=BackendRejected("no", backend="big", http_status=422))
    assert (rejected.backend, rejected.http_status) == ("big", 422)


def test_what_grpc_says_itself_has_them_too() -> None:
    """Of a service at its limit, a deadline, or nobody there."""
    full = failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")
    assert (full.reason, full.retry_after_s) == ("OVERLOADED", 1)
    late = failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    assert (late.reason, late.retry_after_s, "give the call longer" in late.message) == ("DEADLINE_EXCEEDED", None, True)


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:5: connect: Connection refused (111)", "refused (111)"),
        ("failed to connect to all addresses; last error: Ssl handshake\nfailed: WRONG_VERSION_NUMBER", "handshake failed: WRONG_VERSION"),
        ("", "gRPC says: nothing"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_nobody_there_says_where_and_why_in_one_line(details: str, shown: str) -> None:
    """Refused and a handshake that failed have other remedies."""
    error = failed(grpc.StatusCode.UNAVAILABLE, details)
    assert isinstance(error, Unreachable)
    assert error.message.startswith(f"Pointsman at {ADDRESS} can't be reached; is it running there")
    assert shown in error.message
    assert "\n" not in error.message
    assert len(error.message) < 500


def test_errors_go_to_other_processes_whole() -> None:
    """As a pool of workers sends them."""
    cut = AnswerCut.of(failed(grpc.StatusCode.RESOURCE_EXHAUSTED, error=Overloaded("full", retry_after_s=2)), "Pa", ADDRESS)
    back = pickle.loads(pickle.dumps(cut))
    assert (type(back), back.text, back.reason, back.retry_after_s, str(back)) == (AnswerCut, "Pa", "OVERLOADED", 2, "full (OVERLOADED)")


def test_before_anything_came_an_answer_isnt_cut() -> None:
    """A refusal stays what it is."""
    stream, refused = Streamed(ADDRESS), failed(grpc.StatusCode.RESOURCE_EXHAUSTED, error=Overloaded("full"))
    assert stream._failed(refused) is refused
    assert stream.text_so_far == ""


def test_an_error_inside_an_answer_reads_the_same() -> None:
    """Of one prompt of a batch."""
    error = RouteError.from_status(to_status(InvalidModelString("no", param="model"), "id-2"))
    assert (error.code, error.reason, error.param, error.request_id) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_MODEL_STRING",
        "model",
        "id-2",
    )
