"""What is known of a policy becomes the situation that the analyzer judges."""

from datetime import timedelta
from math import inf
from typing import Any

from agentscaler.analyze.bottlenecks import Operation, Usage
from agentscaler.api.signals import SignalName
from agentscaler.api.status import PolicyStatus
from agentscaler.control.diagnosing import situation_of
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.profiles import Profile
from agentscaler.observe.readings import Readings
from tests.unit.observe.worlds import NOON, policy

SEEN = Readings({SignalName.QUEUE_DEPTH: 3.0, SignalName.CAPACITY: 8.0})
GROWN = PolicyStatus(
    current_replicas=4, ready_replicas=2, last_scale_up_time=NOON - timedelta(minutes=1)
)


def test_situation_joins_readings_profile_and_status() -> None:
    profile = Profile(
        means={"plan": 1.0}, p90s={"plan": 3.0}, refused={"openai": 0.1}, usage_means={"cpu": 0.5}
    )
    seen = situation_of(policy(maxReplicas=4), GROWN, SEEN, profile, NOON)
    assert (seen.queued, seen.capacity, seen.current, seen.ready) == (3.0, 8.0, 4, 2)
    assert isinstance(seen.active, Missing)
    assert seen.operations == (Operation("plan", 1.0, 3.0),)
    assert seen.usages == (Usage("cpu", 0.5, 0.5),)
    assert seen.at_maximum
    assert not seen.overdue


def test_replicas_are_overdue_once_they_had_the_time_to_start() -> None:
    late = NOON + policy().spec.startup_deadline
    assert situation_of(policy(), GROWN, SEEN, Profile(), late).overdue


def test_provider_that_the_policy_names_is_read_as_it_says() -> None:
    missing = Missing(Why.EMPTY)
    readings = Readings({}, providers={"openai": 0.2, "other": missing})
    profile = Profile(refused={"openai": 0.1, "other": 0.3})
    seen = situation_of(policy(), PolicyStatus(), readings, profile, NOON)
    assert seen.refused == {"openai": 0.2, "other": 0.3}


def test_capacity_counts_the_replicas_that_are_ready() -> None:
    stated = policy(signals={"capacity": {"perReplica": 4}})
    assert situation_of(stated, GROWN, SEEN, Profile(), NOON).capacity == 8.0


def test_slow_is_what_the_strategy_calls_slow() -> None:
    def slow(**spec: Any) -> float:
        return situation_of(policy(**spec), GROWN, SEEN, Profile(), NOON).slow_above

    assert slow() == inf
    assert slow(signals={"latency": {}}) == 5.0
    assert slow(signals={"latency": {}}, demand={"wait": {"target": "7s"}}) == 7.0
    assert slow(threshold={"scaleUp": {"latency": "9s"}}) == 9.0
    assert slow(signals={"latency": {"measures": "Wait"}}) == inf


def test_replicas_count_as_ready_where_nobody_says_they_are_not() -> None:
    seen = situation_of(policy(), PolicyStatus(current_replicas=3), SEEN, Profile(), NOON)
    assert (seen.current, seen.ready) == (3, 3)
