"""The demand strategy: replicas for the work in flight and waiting."""

from dataclasses import replace
from typing import Any

import pytest

from agentscaler.api.signals import SignalName
from agentscaler.decide import staffing
from agentscaler.decide.decision import Level, Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Why
from tests.unit.decide.worlds import NOON, OLD, SECOND, UNKNOWN, policy, seen

EMPTY = Missing(Why.EMPTY, "no series")


def test_busy_fleet_grows_to_the_target_utilization() -> None:
    spec = policy(demand={"targetUtilization": "70%"})
    decision = decide(spec, seen(active_requests=100.0, replicas=30), OLD)
    # 100 busy slots at 70 % are 142.9 slots, which beats the room for chance (123 slots).
    assert decision.steps[0].after == 36
    assert decision.reason == "Demand"


def test_small_fleet_gets_more_room_for_chance_than_a_large_one() -> None:
    small = decide(policy(), seen(active_requests=4.0, replicas=1), OLD).steps[0].after
    large = decide(policy(), seen(active_requests=400.0, replicas=100), OLD).steps[0].after
    assert small * 4 / 4 > large * 4 / 400


def test_waiting_requests_count_as_work() -> None:
    idle = decide(policy(), seen(active_requests=4.0), OLD)
    queued = decide(policy(), seen(active_requests=4.0, queue_depth=40.0), OLD)
    assert queued.steps[0].after > idle.steps[0].after + 9


def test_backlog_of_short_requests_needs_fewer_slots_than_one_of_long_ones() -> None:
    short = seen(active_requests=10.0, queue_depth=60.0, completion_rate=10.0)  # 1 s of service
    long = seen(active_requests=10.0, queue_depth=60.0, completion_rate=0.1)  # 100 s
    assert decide(policy(), short, OLD).steps[0].after < decide(policy(), long, OLD).steps[0].after


def test_patience_saves_slots() -> None:
    lasting: dict[str, Any] = {"active_requests": 30.0, "completion_rate": 30.0}
    full: dict[str, Any] = {"demand": {"targetUtilization": "100%"}}
    patient = policy(demand={**full["demand"], "wait": {"target": "5s"}})
    hasty = policy(demand={**full["demand"], "wait": {"target": "100ms"}})
    needs = [decide(spec, seen(**lasting), OLD).steps[0].after for spec in (patient, hasty)]
    assert needs[0] < needs[1]


def test_idle_fleet_needs_nothing() -> None:
    decision = decide(policy(), seen(), OLD)
    assert decision.steps[0].after == 0
    assert decision.replicas == 3  # a step of 25 %, not straight to the bound


@pytest.mark.parametrize(
    ("spare", "extra"), [(2, 2), ("50%", 1), (0, 0)], ids=["count", "share", "none"]
)
def test_spare_replicas_come_on_top(spare: int | str, extra: int) -> None:
    plain = decide(policy(demand={"targetUtilization": "100%"}), seen(active_requests=1.0), OLD)
    spared = policy(demand={"targetUtilization": "100%", "spare": spare})
    more = decide(spared, seen(active_requests=1.0), OLD)
    assert more.steps[0].after - plain.steps[0].after == extra


def test_share_of_nothing_is_no_spare() -> None:
    assert decide(policy(demand={"spare": "50%"}), seen(), OLD).steps[0].after == 0


def test_count_is_held_when_the_slots_of_a_replica_are_unknown() -> None:
    blind = seen(active_requests=40.0, capacity=EMPTY)
    decision = decide(policy(signals={}), blind, Memory(since=NOON))
    assert (decision.replicas, decision.reason) == (4, "CapacityUnknown")
    assert "signals.capacity.perReplica" in decision.message


def test_capacity_is_measured_of_the_ready_replicas() -> None:
    spec = policy(signals={}, demand={"targetUtilization": "100%", "scaleUp": {"maxStep": 50}})
    measured = seen(active_requests=40.0, capacity=8.0, replicas=4)  # two slots each
    assert decide(spec, measured, Memory(since=NOON)).steps[0].after >= 20


def test_new_replica_not_scraped_yet_does_not_shrink_the_slots_of_one() -> None:
    trailing = seen(active_requests=8.0, capacity=16.0, replicas=5)  # the fifth shows no slots yet
    decision = decide(policy(signals={}), trailing, OLD)
    assert decision.memory.slots_per_replica == 4.0


def test_known_part_of_the_work_may_add_but_not_remove() -> None:
    partly = seen(active_requests=UNKNOWN, queue_depth=50.0)
    grown = decide(policy(), partly, OLD)
    held = decide(policy(), seen(active_requests=UNKNOWN), OLD)
    assert grown.replicas > 4
    assert (held.replicas, held.reason) == (4, "DemandIncomplete")


def test_slow_model_with_free_slots_is_named_and_adds_nothing() -> None:
    slow = seen(active_requests=2.0, latency=30.0)
    named = policy(signals={"capacity": {"perReplica": 4}, "latency": {}})
    assert "would not help" not in decide(policy(), slow, OLD).message
    assert "would not help" not in decide(named, seen(queue_depth=1.0, latency=30.0), OLD).message
    decision = decide(named, slow, OLD)
    assert "replicas would not help" in decision.message
    assert decision.replicas <= 4


def test_slow_model_is_not_blamed_when_the_latency_is_the_wait() -> None:
    spec = policy(signals={"capacity": {"perReplica": 4}, "latency": {"measures": "Wait"}})
    assert "would not help" not in decide(spec, seen(latency=30.0), OLD).message


def test_agents_at_zero_replicas_are_known_to_serve_nothing() -> None:
    asleep = seen(replicas=0, active_requests=EMPTY, capacity=EMPTY, queue_depth=0.0)
    decision = decide(policy(minReplicas=0), asleep, OLD)
    assert (decision.replicas, decision.reason) == (0, "Demand")


def test_first_request_wakes_a_fleet_at_zero() -> None:
    asleep = seen(replicas=0, active_requests=EMPTY, capacity=EMPTY, queue_depth=1.0)
    assert decide(policy(minReplicas=0), asleep, OLD).replicas == 1


def test_first_request_wakes_a_fleet_whose_slots_were_never_seen() -> None:
    asleep = seen(replicas=0, active_requests=EMPTY, capacity=EMPTY, queue_depth=9.0)
    decision = decide(policy(minReplicas=0, signals={}), asleep, Memory(since=NOON))
    assert decision.replicas == 1


def test_idle_fleet_goes_to_zero_where_allowed() -> None:
    assert decide(policy(minReplicas=0), seen(replicas=1), OLD).replicas == 0
    assert decide(policy(minReplicas=1), seen(replicas=1), OLD).replicas == 1


def test_hint_tells_the_need_that_adds_a_replica() -> None:
    decision = decide(policy(), seen(active_requests=7.0), OLD)
    assert decision.hint == "a need above 16 slots adds a replica"
    assert decide(policy(minReplicas=0), seen(replicas=0), OLD).hint.startswith("the first request")


def test_signals_not_asked_for_count_as_unknown() -> None:
    blind = seen(active_requests=3.0)
    bare = {SignalName.ACTIVE_REQUESTS: 3.0}
    decision = decide(policy(), type(blind)(blind.now, blind.replicas, bare), OLD)
    assert decision.reason == "DemandIncomplete"


def need_of(said: str) -> str:
    """Give the first part of a sentence: the work, and the slots it needs."""
    return said.partition(": ")[2].partition(" of ")[0]


def test_sentence_tells_the_level_only_where_it_is_another_than_the_load() -> None:
    calm = decide(policy(), seen(active_requests=8.0, wait=0.0), OLD)
    assert need_of(calm.message).startswith("8 busy and 0 waiting need ")
    level = Level(NOON - 15 * SECOND, 7.0, 7.0, 0.0, 1.0, -0.49, changes=50)
    noisy = decide(policy(), seen(active_requests=8.0, wait=0.0), replace(OLD, level=level))
    assert need_of(noisy.message).startswith("8 busy (level 7.2) and 0 waiting need ")


def test_need_is_called_the_least_only_where_something_is_unknown() -> None:
    known = decide(policy(), seen(active_requests=20.0, wait=0.0), OLD)
    partly = decide(policy(), seen(active_requests=20.0, queue_depth=UNKNOWN, wait=0.0), OLD)
    assert need_of(known.message) == "20 busy and 0 waiting need 20.0 slots"
    told = "20 busy and an unknown number waiting need at least 20.0 slots"
    assert partly.steps[0].message.startswith(told)


@pytest.mark.parametrize(
    ("known", "first"),
    [
        ({"active_requests": 1.0}, 1),
        ({"queue_depth": 1.0}, 1),
        ({}, 0),
        ({"active_requests": UNKNOWN}, 0),
        ({"queue_depth": UNKNOWN}, 0),
    ],
    ids=["one in service", "one waits", "idle", "service unknown", "queue unknown"],
)
def test_work_that_is_known_gets_the_replica_that_shows_its_slots(
    known: dict[str, Any], first: int
) -> None:
    asleep = seen(replicas=0, **known)
    spec = policy(minReplicas=0, signals={})
    assert decide(spec, asleep, Memory(since=NOON)).steps[0].after == first


@pytest.mark.parametrize(
    ("service", "slots"), [(1.0, 6.0), (10.0, 60.0), (100.0, 60.0)], ids=["short", "even", "long"]
)
def test_backlog_needs_the_slots_that_end_it_in_time(service: float, slots: float) -> None:
    spec = policy(demand={"targetUtilization": "100%", "drainBacklogWithin": "10s"})
    busy = seen(active_requests=10.0, queue_depth=60.0, completion_rate=10 / service, wait=0.0)
    assert f"need {10 + slots:.1f} slots" in decide(spec, busy, OLD).steps[0].message


def test_patience_is_told_in_times_of_service() -> None:
    spec = policy(demand={"targetUtilization": "100%", "wait": {"target": "5s"}})
    said = decide(spec, seen(active_requests=40.0, completion_rate=4.0), OLD).steps[0].message
    assert f"need {staffing.slots_for(40.0, 0.5, 0.99):.1f} slots" in said


def test_latency_of_just_the_target_is_not_slow() -> None:
    named = policy(signals={"capacity": {"perReplica": 4}, "latency": {}})
    for latency, slow in ((5.0, False), (5.1, True)):
        said = decide(named, seen(active_requests=2.0, latency=latency), OLD).message
        assert ("would not help" in said) == slow


@pytest.mark.parametrize(
    "work",
    [{"queue_depth": 100.0}, {"active_requests": 100.0}],
    ids=["waiting", "in service"],
)
def test_least_work_needs_a_replica_however_much_one_takes(work: dict[str, Any]) -> None:
    spec = policy(minReplicas=0, signals={"capacity": {"perReplica": "1G"}})
    assert decide(spec, seen(replicas=0, **work), OLD).replicas == 1


def test_rest_of_a_level_that_fades_needs_no_replica() -> None:
    """A level comes near zero and never there; nothing is in service, and nothing waits."""
    faded = Level(NOON - SECOND, 1e-6, 0.0, spread=1.0, echo=-0.5, changes=50)
    spec = policy(minReplicas=0, demand={"scaleDown": {"cooldown": "0s"}})
    assert decide(spec, seen(replicas=1), replace(OLD, level=faded, reserve=0.0)).replicas == 0
