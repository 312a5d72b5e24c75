"""A wake: the gateway's word that somebody waits, for as long as the metrics cannot know."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Snapshot
from tests.unit.decide.test_rules_hold_for_every_input import World, all_worlds
from tests.unit.decide.worlds import MINUTE, NOON, OLD, UNKNOWN, policy, seen, threshold

ZERO = {"minReplicas": 0}


def woken(snapshot: Snapshot, ago: timedelta = timedelta(0)) -> Snapshot:
    return replace(snapshot, woken=snapshot.now - ago)


@pytest.mark.parametrize("spec", [policy(**ZERO), threshold(**ZERO)], ids=["demand", "threshold"])
def test_wake_gives_the_first_replica_although_the_metrics_show_no_load(spec: object) -> None:
    assert decide(spec, seen(replicas=0), OLD).replicas == 0  # type: ignore[arg-type]
    decision = decide(spec, woken(seen(replicas=0)), OLD)  # type: ignore[arg-type]
    assert (decision.replicas, decision.reason) == (1, "Woken")
    assert "a request waits at the gateway" in decision.message


def test_wake_is_heeded_while_prometheus_is_away() -> None:
    dark = seen(replicas=0, queue_depth=UNKNOWN, active_requests=UNKNOWN)
    assert decide(policy(**ZERO), woken(dark), OLD).replicas == 1


def test_wake_ends_after_a_minute_by_whichever_clock() -> None:
    spec = policy(**ZERO)
    for ago in (MINUTE, -MINUTE):
        assert decide(spec, woken(seen(replicas=0), ago), OLD).replicas == 1
        assert decide(spec, woken(seen(replicas=0), ago * 1.1), OLD).replicas == 0


def test_wake_adds_nothing_beyond_the_first_replica() -> None:
    shown = seen(NOON, replicas=1, active_requests=1.0)
    decision = decide(policy(**ZERO), woken(shown), OLD)
    assert decision.replicas == 1
    assert "wake" not in [step.name for step in decision.steps]


def test_closed_gate_holds_a_wake_back() -> None:
    gates = [{"name": "database", "query": "ratio", "above": "90%"}]
    spec = policy(**ZERO, gates=gates)
    assert decide(spec, woken(seen(replicas=0, gates={"database": 1.0})), OLD).replicas == 0


@given(all_worlds())
def test_wake_only_raises_and_by_one_at_most(world: World) -> None:
    spec, snapshot, memory = world
    without, with_wake = (
        decide(spec, each, memory) for each in (replace(snapshot, woken=None), woken(snapshot))
    )
    assert with_wake.replicas in {without.replicas, max(1, without.replicas)}
