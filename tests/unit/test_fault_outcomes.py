"""What the callers of the fault tests would notice: they must be able to."""

from __future__ import annotations

import pytest

from tests.support.faults.outcomes import Outcome, Sums, is_well, pieces_of, read, restored_after

_ONE, _OTHER = pieces_of("a1", "q-1", 4), pieces_of("b2", "q-1", 4)


def _outcome(begun: float, took: float = 1, result: str = "answer", what: str = "comparison", answer: str = "") -> Outcome:
    return Outcome("rest", "router-mf-1", begun, took, result, what, answer)


@pytest.mark.parametrize("pad", [0, 5])
def test_an_answer_is_whole_and_its_beginning_is_sound(pad: int) -> None:
    """Of a cut one the caller has what came."""
    pieces = pieces_of("a1", "q-1", 4, pad)
    whole, beginning, nothing = (read("".join(text), "q-1") for text in (pieces, pieces[:2], []))
    assert (whole.answer, whole.sound, whole.whole) == ("a1", True, True)
    assert (beginning.sound, beginning.whole) == (True, False)
    assert (nothing.sound, nothing.whole, nothing.answer) == (True, False, "")


@pytest.mark.parametrize(
    "pieces",
    [
        _ONE[:2] + _OTHER[2:],
        _ONE + _OTHER,
        [*_ONE[:2], *_ONE[1:]],
        _ONE[1:],
        [_ONE[0], _ONE[2]],
        _ONE[:1] + pieces_of("a1", "q-2", 4)[1:],
        [*_ONE, "more"],
        [_ONE[0], _ONE[1][:-3], *_ONE[2:]],
    ],
)
def test_anything_but_the_first_pieces_of_one_answer_is_spliced(pieces: list[str]) -> None:
    """Two answers in one, a piece twice, one left out, another question's, a torn one."""
    assert not read("".join(pieces), "q-1").sound


def test_one_answer_for_two_requests_is_doubled() -> None:
    """Requests without an answer's id, such as decisions, aren't."""
    sums = Sums.of([_outcome(0, answer="a"), _outcome(1, answer="a"), _outcome(2), _outcome(3), _outcome(4, result="error", what="E")])
    assert (sums.doubled, sums.answers.total(), sums.errors) == (1, 4, {"E": 1})


def test_service_is_restored_when_the_last_abnormal_request_has_ended() -> None:
    """A fallback isn't normal, nor is an error."""
    outcomes = [_outcome(0, what="backend_fallback"), _outcome(1, 3, result="error", what="E"), _outcome(9)]
    assert restored_after(outcomes, since=1) == 3
    assert restored_after(outcomes[2:], since=1) == 0
    assert is_well(outcomes, now=10, window_s=2, at_least=1)
    assert not is_well(outcomes, now=10, window_s=7, at_least=1)
    assert not is_well(outcomes, now=10, window_s=2, at_least=2)
