"""The candidate: decided on the real load with a fleet of its own, and accounts of both."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import PolicySpec
from agentscaler.api.strategies import Threshold
from agentscaler.decide import shadow
from agentscaler.decide.shadow import Shadow
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.errors import InvalidPolicyError
from tests.unit.decide.worlds import NOON, OLD, SECOND, policy, seen

START = 30 * SECOND
POLL = 15 * SECOND
EAGER = {"scaleDown": {"cooldown": "0s", "maxStep": "100%"}, "scaleUp": {"maxStep": 50}}


def rehearsed(candidate: dict[str, Any], **spec: Any) -> PolicySpec:
    found = policy(candidate=candidate, **spec).rehearsed
    assert found is not None
    return found


def run(spec: PolicySpec, loads: list[float], *, replicas: int = 10) -> list[Shadow]:
    """Live through loads, poll by poll, beside a fleet that stays as it is."""
    fleet, lived = shadow.begin(seen(replicas=replicas)), []
    for number, load in enumerate(loads):
        view = seen(NOON + number * POLL, replicas=replicas, active_requests=load)
        fleet = shadow.follow(spec, view, fleet, START)[1]
        lived.append(fleet)
    return lived


def test_policy_without_candidate_rehearses_nothing() -> None:
    assert policy().rehearsed is None


def test_candidate_takes_the_place_of_the_strategy_and_of_nothing_else() -> None:
    active = policy(candidate={"threshold": {}}, minReplicas=3)
    assert active.sizing  # is cached from here on
    found = active.rehearsed
    assert found is not None
    assert isinstance(found.sizing, Threshold)
    assert (found.min_replicas, found.candidate) == (3, None)


def test_candidate_of_two_strategies_is_refused() -> None:
    with pytest.raises(InvalidPolicyError, match="in a candidate too"):
        policy(candidate={"demand": {}, "threshold": {}})


def test_fleet_in_thought_goes_its_own_way() -> None:
    lived = run(rehearsed({"demand": EAGER}), [4.0] * 4)
    assert [each.replicas for each in lived] == [10, 3, 3, 3]
    assert lived[-1].candidate.replica_seconds == (10 + 3 + 3) * 15
    assert lived[-1].active.replica_seconds == 3 * 150


def test_what_it_asks_for_is_ready_after_the_time_of_a_start() -> None:
    lived = run(rehearsed({"demand": EAGER}), [80.0] * 4, replicas=4)
    assert [each.ready for each in lived] == [4, 4, lived[0].replicas, lived[0].replicas]
    assert lived[0].replicas > 20


def test_work_waits_for_it_while_it_has_too_few_slots() -> None:
    lived = run(rehearsed({"demand": EAGER}), [80.0] * 6, replicas=4)
    assert lived[-1].candidate.waiting_seconds == 30
    assert lived[-1].active.waiting_seconds == 0


def test_requests_that_really_wait_are_booked_for_the_active_fleet() -> None:
    spec, fleet = rehearsed({"demand": EAGER}), shadow.begin(seen())
    for number in range(3):
        view = seen(NOON + number * POLL, active_requests=4.0, queue_depth=2.0)
        fleet = shadow.follow(spec, view, fleet, START)[1]
    assert fleet.active.waiting_seconds == 30


def test_silence_is_not_booked() -> None:
    spec, fleet = rehearsed({"demand": EAGER}), shadow.begin(seen())
    for at in (NOON, NOON + timedelta(hours=3)):
        fleet = shadow.follow(spec, seen(at, active_requests=4.0), fleet, START)[1]
    assert (fleet.candidate.replica_seconds, fleet.active.replica_seconds) == (0, 0)


def test_measured_capacity_is_that_of_its_own_fleet() -> None:
    spec = rehearsed({"threshold": {"scaleUp": {"step": 1}}}, signals={}, threshold={})
    fleet = Shadow(since=NOON, at=NOON, replicas=2)
    view = seen(replicas=4, active_requests=8.0, capacity=16.0)  # half busy, but full for two
    decision, _ = shadow.follow(spec, view, fleet, START)
    assert (decision.replicas, decision.reason) == (3, "HighUtilization")


def test_unknown_load_removes_nothing_and_nobody_waits() -> None:
    unknown = Missing(Why.EMPTY)
    spec, fleet = rehearsed({"demand": EAGER}), shadow.begin(seen(replicas=5))
    for number in range(3):
        view = seen(NOON + number * POLL, replicas=5, active_requests=unknown, queue_depth=unknown)
        fleet = shadow.follow(spec, view, fleet, START)[1]
    assert fleet.replicas == 5
    assert fleet.candidate.waiting_seconds == 0


@given(st.lists(st.floats(0, 200), min_size=1, max_size=30))
def test_ready_and_starting_replicas_are_all_there_are(loads: list[float]) -> None:
    for each in run(rehearsed({"demand": EAGER}), loads):
        assert 0 <= each.ready <= each.replicas
        assert all(count > 0 for _, count in each.starting)


@pytest.mark.parametrize(
    ("later", "booked"), [(4 * POLL, 60), (4 * POLL + SECOND, 0)], ids=["four polls", "longer"]
)
def test_silence_of_four_polls_is_still_booked(later: timedelta, booked: int) -> None:
    spec, fleet = rehearsed({"demand": EAGER}), shadow.begin(seen(replicas=1))
    view = seen(NOON + later, replicas=1, active_requests=4.0, queue_depth=1.0)
    fleet = shadow.follow(spec, view, fleet, START)[1]
    assert fleet.active.replica_seconds == booked
    assert fleet.active.waiting_seconds == booked


def test_nobody_waits_for_a_fleet_that_is_just_full() -> None:
    full, short = (
        run(rehearsed({"demand": EAGER}), [load] * 2, replicas=10)[-1] for load in (40.0, 40.5)
    )
    assert (full.candidate.waiting_seconds, short.candidate.waiting_seconds) == (0, 15)


@pytest.mark.parametrize(
    ("ready", "capacity", "share"), [(4, 16.0, "75%"), (1, 4.0, "75%")], ids=["four", "one"]
)
def test_slots_of_a_replica_are_those_of_the_real_ones(
    ready: int, capacity: float, share: str
) -> None:
    spec = rehearsed({"threshold": {}}, signals={}, threshold={})
    fleet = Shadow(since=NOON, at=NOON, replicas=2)
    view = seen(replicas=4, ready=ready, active_requests=6.0, capacity=capacity)
    assert f"utilization {share}" in shadow.follow(spec, view, fleet, START)[0].message


def test_slots_are_unknown_while_no_real_replica_shows_them() -> None:
    spec = rehearsed({"threshold": {}}, signals={}, threshold={})
    fleet = Shadow(since=NOON, at=NOON, replicas=2)
    view = seen(replicas=4, ready=0, active_requests=6.0, capacity=16.0)
    assert shadow.follow(spec, view, fleet, START)[0].replicas == 2


LATER = NOON + 20 * SECOND
TWO_GROUPS = ((LATER, 3), (LATER + POLL, 2))
"""Three replicas that start, and two that were asked for after them."""


@pytest.mark.parametrize(
    ("load", "starting"),
    [
        (28.0, ((LATER, 3), (LATER + POLL, 1))),
        (24.0, ((LATER, 3),)),
        (20.0, ((LATER, 2),)),
        (32.0, TWO_GROUPS),
        (36.0, (*TWO_GROUPS, (NOON + START, 1))),
    ],
    ids=["one less", "the newest", "some of both", "as many", "one more"],
)
def test_what_starts_last_goes_first(load: float, starting: tuple[Any, ...]) -> None:
    calm = {"wait": {"attainment": "50%"}, "targetUtilization": "100%", **EAGER}
    spec = rehearsed({"demand": calm})
    memory = replace(OLD, reserve=0.0)
    fleet = Shadow(since=NOON, at=NOON, replicas=8, starting=TWO_GROUPS, memory=memory)
    _, after = shadow.follow(spec, seen(active_requests=load, replicas=8), fleet, START)
    assert after.starting == starting
    assert after.ready == min(3, after.replicas)
