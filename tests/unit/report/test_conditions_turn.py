"""Conditions: when they turn, and what they tell to do."""

from agentscaler.api.signals import SignalName
from agentscaler.api.status import ConditionStatus, ConditionType, PolicyStatus
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.report import composing, conditions, status, troubles
from agentscaler.report.outlines import Facts
from tests.unit.report.scenes import (
    BUSY,
    FACTS,
    MINUTE,
    NOON,
    TARGET,
    decided,
    policy,
    seen,
)

NEW = PolicyStatus()


def test_every_unwelcome_condition_says_what_to_do() -> None:
    blind = seen({**BUSY, SignalName.QUEUE_DEPTH: Missing(Why.EMPTY)})
    bad = composing.decided(
        NEW,
        policy(maxReplicas=4, mode="Recommend"),
        blind,
        decided(policy(maxReplicas=4), blind, Memory(failures=5, since=NOON)),
        Facts(TARGET, contest=troubles.contested("x", target=TARGET, found=1, decided=2)),
    )
    told = conditions.unwelcome(bad.conditions)
    assert {condition.type for condition in told} == {
        ConditionType.METRICS_AVAILABLE,
        ConditionType.SCALING_ACTIVE,
        ConditionType.SCALING_LIMITED,
        ConditionType.REPLICAS_CONTESTED,
    }
    verbs = ("check", "Restore", "Raise", "set spec.mode")
    assert all(any(verb in condition.message for verb in verbs) for condition in told)


def test_condition_keeps_its_time_until_its_status_turns() -> None:
    aspect = ConditionType.METRICS_AVAILABLE
    first = conditions.turn((), [conditions.fails(aspect, "A", "a")], generation=1, now=NOON)
    same = conditions.turn(
        first, [conditions.fails(aspect, "B", "b")], generation=1, now=NOON + MINUTE
    )
    turned = conditions.turn(
        same, [conditions.holds(aspect, "C", "c")], generation=2, now=NOON + 2 * MINUTE
    )
    assert same[0].last_transition_time == NOON
    assert (same[0].reason, same[0].status) == ("B", ConditionStatus.FALSE)
    assert turned[0].last_transition_time == NOON + 2 * MINUTE
    assert turned[0].observed_generation == 2


def test_conditions_that_say_the_same_are_kept_once() -> None:
    snapshot = seen()
    one, two = (
        composing.decided(PolicyStatus(), policy(), snapshot, decided(policy(), snapshot), FACTS)
        for _ in range(2)
    )
    for first, second in zip(one.conditions, two.conditions, strict=True):
        assert first is second
    read = status.parse_status(status.dump(one))
    assert read.conditions == one.conditions
    assert all(a is b for a, b in zip(read.conditions, one.conditions, strict=True))
