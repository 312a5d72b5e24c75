"""The users of the whole demo would notice a lost turn, and another session's state."""

import random
from typing import Any

import pytest

from tests.bed import BedError
from tests.demo.full.users import Session, Tally, Users


def session(turns: int, unsure: int = 0) -> Session:
    """Give a session with so many acknowledged turns, and so many that failed since."""
    made = Session("ada", random.Random(1))  # noqa: S311 - a topic, no secret
    made.turns, made.unsure = turns, unsure
    return made


def check(held: Session, **told: Any) -> tuple[int, int]:
    """Let the session's user judge an answer: lost turns, and mixed-up states."""
    tally = Tally()
    held.check({"topic": held.topic, **told}, tally)
    return tally.lost, tally.mixed


def test_next_turn_is_right() -> None:
    assert check(session(2), turn=3) == (0, 0)


@pytest.mark.parametrize("turn", [1, 2])
def test_turn_that_was_told_before_is_a_loss(turn: int) -> None:
    assert check(session(2), turn=turn) == (1, 0)


@pytest.mark.parametrize("turn", [3, 4])
def test_failed_question_may_have_been_kept(turn: int) -> None:
    assert check(session(2, unsure=1), turn=turn) == (0, 0)


def test_turn_that_nobody_asked_for_is_a_mix_up() -> None:
    assert check(session(2), turn=4) == (0, 1)


def test_topic_of_another_session_is_a_mix_up() -> None:
    assert check(session(2), turn=3, topic="queues of somebody else") == (0, 1)


@pytest.mark.parametrize(
    ("turn", "topic", "found"),
    [
        (2, None, (0, 0)),
        (3, None, (0, 0)),
        (1, None, (1, 0)),
        (0, "", (1, 0)),
        (4, None, (0, 1)),
        (2, "queues of somebody else", (0, 1)),
    ],
    ids=["kept", "failed one kept", "last lost", "all lost", "too many", "another's"],
)
def test_last_turn_is_looked_at_when_the_user_leaves(
    turn: int, topic: str | None, found: tuple[int, int]
) -> None:
    held, tally = session(2, unsure=1), Tally()
    held.check_kept({"turn": turn, "topic": held.topic if topic is None else topic}, tally)
    assert (tally.lost, tally.mixed) == found
    assert tally.looked_at == 1


def test_attainment_counts_failed_requests_as_late() -> None:
    tally = Tally(waits=[0.1, 3.0])
    tally.failures["503"] = 2
    assert tally.attainment(2.0) == 0.25


def test_users_that_fail_are_no_quiet_load() -> None:
    def wanted() -> int:
        raise ZeroDivisionError

    users = Users("http://127.0.0.1:9", wanted)
    with pytest.raises(BedError, match="the users failed: "), users:
        users._thread.join()
