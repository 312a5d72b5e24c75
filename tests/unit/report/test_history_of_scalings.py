"""Scaling events: identity, recording, settling."""

from datetime import timedelta

import pytest

from agentscaler.api.status import Outcome, ScalingEvent
from agentscaler.decide.decision import Direction
from agentscaler.report import history
from tests.unit.report.scenes import MINUTE, NOON, SECOND, decided, policy, seen

UID = "5c1e8a1e-0000-4000-8000-000000000001"
AGAIN = {"outcome": Outcome.PENDING, "failure": ""}


def event(before: int, after: int, *, minute: int = 0, **more: object) -> ScalingEvent:
    at = NOON + minute * MINUTE
    fields = {
        "id": history.identify(UID, at, before, after),
        "time": at,
        "from": before,
        "to": after,
        "reason": "Demand",
        "message": f"goes from {before} to {after}: work",
        "outcome": Outcome.PENDING,
        **more,
    }
    return ScalingEvent.model_validate(fields)


def test_identity_is_the_same_for_the_same_decision_only() -> None:
    once = history.identify(UID, NOON, 4, 7)
    assert once == history.identify(UID, NOON + timedelta(microseconds=9), 4, 7)
    others = {
        history.identify("other", NOON, 4, 7),
        history.identify(UID, NOON + SECOND, 4, 7),
        history.identify(UID, NOON, 5, 7),
        history.identify(UID, NOON, 4, 8),
    }
    assert len(others | {once}) == 5
    assert len(once) == 10


def test_draft_is_pending_or_only_recommended() -> None:
    acting = history.draft(policy(), decided(policy(), seen()), "queueDepth=12")
    advising = policy(mode="Recommend")
    advised = history.draft(advising, decided(advising, seen()), "")
    assert (acting.outcome, advised.outcome) == (Outcome.PENDING, Outcome.RECOMMENDED)
    assert acting.id == history.identify(UID, NOON, acting.from_, acting.to)
    assert acting.signals == "queueDepth=12"


def test_record_puts_the_newest_first_up_to_the_limit() -> None:
    past: history.History = ()
    for minute in range(4):
        past = history.record(past, event(minute, minute + 1, minute=minute), limit=3)
    assert [known.to for known in past] == [4, 3, 2]


def test_record_is_idempotent() -> None:
    past = history.record((), event(4, 7), limit=5)
    assert history.record(past, event(4, 7), limit=5) == past


def test_record_overtakes_what_is_pending() -> None:
    past = history.record((event(4, 7),), event(4, 8, minute=1), limit=5)
    assert [known.outcome for known in past] == [Outcome.PENDING, Outcome.FAILED]


def landed(past: history.History, current: int, *, minute: int = 0, ours: bool = True) -> int:
    """Give the place of the event that has landed, -1 for none."""
    found = history.landed(past, current, NOON + minute * MINUTE, ours=ours, patience=2 * MINUTE)
    return -1 if found is None else past.index(found)


def test_pending_event_has_landed_if_the_target_shows_its_count() -> None:
    past = (event(4, 7), event(2, 4, minute=-5, outcome=Outcome.APPLIED))
    assert landed(past, 7, minute=9, ours=False) == 0
    assert landed(past, 4) == -1
    assert landed((), 4) == -1


@pytest.mark.parametrize("failure", [history.OVERTAKEN, "the API server did not answer in time"])
def test_failed_event_has_landed_if_nobody_else_made_its_count_within_two_minutes(
    failure: str,
) -> None:
    past = (event(4, 7, outcome=Outcome.FAILED, failure=failure),)
    assert landed(past, 7, minute=2) == 0
    assert landed(past, 7, minute=2, ours=False) == -1
    assert landed(past, 7, minute=3) == -1
    assert landed(past, 5) == -1


def test_event_may_have_landed_behind_one_that_failed() -> None:
    refused = event(4, 8, minute=1, outcome=Outcome.FAILED, failure="was changed meanwhile")
    assert landed((refused, *history.overtake((event(4, 7),))), 7, minute=1) == 1


def test_event_older_than_what_was_applied_has_not_landed() -> None:
    back = event(7, 4, minute=1, outcome=Outcome.APPLIED)
    assert landed((back, *history.overtake((event(4, 7),))), 7, minute=1) == -1


def test_only_the_newest_of_events_that_ask_for_the_same_has_landed() -> None:
    assert landed((event(4, 7, minute=1), *history.overtake((event(4, 7),))), 7, minute=1) == 0


def test_settle_applies_what_has_landed() -> None:
    past = history.overtake((event(4, 7),))
    [applied] = history.settle(past, past[0])
    assert (applied.outcome, applied.failure) == (Outcome.APPLIED, "")
    assert history.settle(past, None) == past


def test_failed_event_is_pending_again_from_the_next_try_on() -> None:
    failed = event(4, 7, outcome=Outcome.FAILED, failure="quota")
    older = event(2, 4, minute=-5, outcome=Outcome.FAILED, failure="forbidden")
    again = history.try_again((failed, older), NOON + MINUTE)
    assert again == (failed.model_copy(update=AGAIN | {"time": NOON + MINUTE}), older)
    assert history.try_again(again, NOON + 2 * MINUTE) == again


def test_mark_ends_an_open_event_only() -> None:
    past = (event(4, 7), event(2, 4, minute=-5, outcome=Outcome.APPLIED))
    failed = history.mark(past, past[0].id, Outcome.FAILED, "forbidden")
    retried = history.mark(failed, past[0].id, Outcome.APPLIED)
    assert (failed[0].outcome, failed[0].failure) == (Outcome.FAILED, "forbidden")
    assert (retried[0].outcome, retried[0].failure) == (Outcome.APPLIED, "")
    assert history.mark(past, past[1].id, Outcome.FAILED, "late") == past


def test_mark_of_the_same_outcome_changes_nothing() -> None:
    past = (event(4, 7, outcome=Outcome.FAILED, failure="forbidden"),)
    assert history.mark(past, past[0].id, Outcome.FAILED, "forbidden") == past


def test_attempt_is_the_newest_open_event_of_the_same_move() -> None:
    decision = decided(policy(), seen())
    same = event(4, decision.replicas)
    assert history.attempt((same,), decision) == same
    assert history.attempt((event(4, 5),), decision) is None
    assert history.attempt((), decision) is None


def test_last_applied_is_told_for_each_direction() -> None:
    past = (
        event(7, 6, minute=3, outcome=Outcome.APPLIED),
        event(5, 9, minute=2, outcome=Outcome.FAILED),
        event(4, 7, minute=1, outcome=Outcome.APPLIED),
        event(2, 4, outcome=Outcome.APPLIED),
    )
    assert history.last_applied(past, Direction.UP) == NOON + MINUTE + SECOND
    assert history.last_applied(past, Direction.DOWN) == NOON + 3 * MINUTE + SECOND
    assert history.last_applied((), Direction.UP) is None
    assert history.direction_of(event(4, 4)) is Direction.NONE


def test_novelties_are_new_outcomes_oldest_first() -> None:
    first, second = event(2, 4), event(4, 7, minute=1)
    old = (second, first)
    new = (
        event(7, 8, minute=2),
        second.model_copy(update={"outcome": Outcome.APPLIED}),
        first.model_copy(update={"outcome": Outcome.FAILED}),
    )
    assert history.novelties(old, new) == [new[2], new[1]]
    assert history.novelties(new, new) == []
