"""The threshold strategy: up by two at 80 %, 50 % or 5 s; down by one at 30 %, 10 % and 1 %."""

from datetime import timedelta
from typing import Any

import pytest

from agentscaler.decide.decision import Memory, carried_out
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Replicas, Snapshot
from tests.unit.decide.worlds import NOON, OLD, SECOND, UNKNOWN, seen, threshold, watched

STEADY: dict[str, Any] = {"active_requests": 8.0, "queue_depth": 0.0}  # half of 16 slots


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        ({"active_requests": 12.9}, "HighUtilization"),
        ({"active_requests": 8.0, "queue_depth": 16.1}, "HighQueuePressure"),
        ({"active_requests": 8.0, "latency": 5.1}, "HighLatency"),
    ],
    ids=["utilization", "queue", "latency"],
)
def test_one_crossing_adds_two(signals: dict[str, Any], reason: str) -> None:
    decision = decide(threshold(), seen(**signals), OLD)
    assert (decision.replicas, decision.reason) == (6, reason)


@pytest.mark.parametrize(
    "signals",
    [
        {"active_requests": 12.8},
        {"active_requests": 8.0, "queue_depth": 16.0},
        {"active_requests": 8.0, "latency": 5.0},
        {"active_requests": 4.8},
        {"queue_depth": 3.2},
        {"error_ratio": 0.01},
    ],
    ids=["at 80 %", "at 50 %", "at 5 s", "at 30 %", "at 10 %", "at 1 %"],
)
def test_limit_itself_changes_nothing(signals: dict[str, Any]) -> None:
    decision = decide(threshold(), seen(**signals), OLD)
    assert (decision.replicas, decision.reason) == (4, "WithinThresholds")


def test_calm_removes_one() -> None:
    decision = decide(threshold(), seen(active_requests=4.7, queue_depth=3.1), OLD)
    assert (decision.replicas, decision.reason) == (3, "Calm")


def test_errors_forbid_removing() -> None:
    assert decide(threshold(), seen(error_ratio=0.02), OLD).replicas == 4


def test_unknown_error_ratio_forbids_removing() -> None:
    decision = decide(threshold(), seen(error_ratio=UNKNOWN), OLD)
    assert decision.replicas == 4


def test_unknown_latency_forbids_nothing() -> None:
    assert decide(threshold(), seen(latency=UNKNOWN), OLD).replicas == 3
    assert decide(threshold(), seen(active_requests=16.0, latency=UNKNOWN), OLD).replicas == 6


def test_no_capacity_counts_as_full_with_any_demand_and_as_idle_without() -> None:
    asleep = seen(replicas=0, queue_depth=1.0)
    assert decide(threshold(minReplicas=0), asleep, OLD).replicas == 2
    assert decide(threshold(minReplicas=0), seen(replicas=0), OLD).replicas == 0


def test_unknown_slots_of_a_replica_use_the_capacity_of_the_fleet() -> None:
    spec = threshold(signals={})
    assert decide(spec, seen(active_requests=16.0, capacity=16.0), OLD).replicas == 6
    zero = seen(active_requests=1.0, capacity=0.0)
    assert decide(spec, zero, Memory(since=NOON)).reason == "HighUtilization"
    dark = seen(active_requests=1.0, capacity=UNKNOWN)
    assert decide(spec, dark, Memory(since=NOON)).replicas == 4


def test_cooldown_of_each_direction_is_its_own() -> None:
    busy: dict[str, Any] = {"active_requests": 16.0}
    calm: dict[str, Any] = {"active_requests": 1.0}
    grown = carried_out(decide(threshold(), seen(**busy), OLD))
    at = {seconds: NOON + seconds * SECOND for seconds in (30, 59, 60)}
    assert decide(threshold(), seen(at[30], **calm), grown).replicas == 3  # down is not cooling
    assert decide(threshold(), seen(at[59], **busy), grown).replicas == 4
    assert decide(threshold(), seen(at[60], **busy), grown).replicas == 6


def test_cooldown_down_holds_for_five_minutes() -> None:
    shrunk = watched(carried_out(decide(threshold(), seen(), OLD)))
    held = decide(threshold(), seen(NOON + 299 * SECOND, replicas=3), shrunk)
    freed = decide(threshold(), seen(NOON + 300 * SECOND, replicas=3), shrunk)
    assert (held.replicas, held.reason, freed.replicas) == (3, "CoolingDown", 2)
    assert held.hint == "may scale down from 12:05:00 on"


def test_starting_replicas_count_as_capacity_until_overdue() -> None:
    full: dict[str, Any] = {"active_requests": 16.0, "queue_depth": 0.0}
    asked = Memory(since=NOON, last_up=NOON - timedelta(minutes=9), ready=4)
    starting = seen(replicas=8, ready=4, **full)  # 16 of 32 slots
    overdue = Memory(since=NOON, last_up=NOON - timedelta(minutes=11), ready=4)
    assert decide(threshold(), starting, asked).reason == "WithinThresholds"
    assert decide(threshold(), starting, overdue).reason == "HighUtilization"


def test_starting_replicas_without_a_known_request_are_not_overdue() -> None:
    starting = seen(replicas=8, ready=4, active_requests=16.0)
    assert decide(threshold(), starting, Memory(ready=4)).reason == "WithinThresholds"


def test_readings_are_told_also_when_nothing_happens() -> None:
    decision = decide(threshold(), seen(**STEADY, latency=UNKNOWN), OLD)
    assert "utilization 50%, queue pressure 0%, latency unknown" in decision.message


def test_snapshot_without_readings_changes_nothing() -> None:
    blind = Snapshot(NOON, Replicas(4, 4), {})
    assert decide(threshold(), blind, OLD).replicas == 4


def test_reading_is_told_in_its_unit_and_no_finer_than_it_matters() -> None:
    slow = decide(threshold(), seen(active_requests=8.0, latency=9.04), OLD)
    assert "latency 9.0s is above 5.0s" in slow.message
    full = decide(threshold(), seen(replicas=3, active_requests=11.111), OLD)
    assert "utilization 92.6% is above 80%" in full.message
