"""The outline that decides on a write is that of the status which would be written."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import Policy
from agentscaler.api.signals import SignalName
from agentscaler.api.status import BottleneckStatus, Outcome, PolicyStatus
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Snapshot, Why
from agentscaler.report import composing, outlines, troubles
from agentscaler.report.outlines import Facts, Outline
from tests.unit.report.scenes import (
    BUSY,
    FACTS,
    IDLE,
    LOOKED,
    MINUTE,
    NOON,
    TARGET,
    decided,
    outlook,
    policy,
    seen,
)

SLOW = BottleneckStatus(verdict="SlowOperation", message="the model is slow")
CONTESTED = Facts(
    TARGET,
    contest=troubles.contested("kubectl", target=TARGET, found=3, decided=4),
    draining=("a", "b"),
    bottleneck=SLOW,
)
BLIND = {**BUSY, SignalName.QUEUE_DEPTH: Missing(Why.TIMEOUT)}
CALM = {**BUSY, SignalName.QUEUE_DEPTH: 0.0, SignalName.ACTIVE_REQUESTS: 11.0}
ADVISING = policy(mode="Recommend")
BOUND = policy(maxReplicas=5)


def told(outline: Outline) -> Outline:
    """Leave out how the verdicts are kept: as verdicts, or as the conditions made of them."""
    said = [(each.type, each.status, each.reason, each.message) for each in outline.verdicts]
    return replace(outline, verdicts=said)  # type: ignore[arg-type]


def check(
    old: PolicyStatus,
    policy: Policy,
    snapshot: Snapshot,
    facts: Facts = FACTS,
    memory: Memory = LOOKED,
) -> None:
    found = old, policy, snapshot, decided(policy, snapshot, memory), facts
    written = outlines.of(composing.decided(*found))
    assert told(outlines.after(*found)) == told(written)


@pytest.mark.parametrize("facts", [FACTS, CONTESTED, Facts(TARGET)], ids=["quiet", "loud", "new"])
@pytest.mark.parametrize("spec", [policy(), BOUND, ADVISING], ids=["usual", "bound", "advising"])
@pytest.mark.parametrize(
    "signals", [BUSY, CALM, IDLE, BLIND], ids=["busy", "calm", "idle", "blind"]
)
def test_outline_of_a_decision_is_that_of_its_status(
    spec: Policy, signals: dict[SignalName, float], facts: Facts
) -> None:
    snapshot = seen(signals, outlook=outlook())
    check(PolicyStatus(), spec, snapshot, facts)
    first = composing.decided(PolicyStatus(), spec, snapshot, decided(spec, snapshot), facts)
    later = seen(CALM, at=NOON + MINUTE, replicas=5, outlook=outlook(trusted=False))
    check(first, spec, later, facts, Memory(since=NOON, last_up=NOON))
    applied = first
    for event in first.history:
        applied = composing.ended(applied, event, Outcome.APPLIED)
    check(applied, spec, seen(IDLE, at=NOON + timedelta(hours=1)), facts)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_outline_is_that_of_the_status_whatever_the_load(
    queued: float, active: float, replicas: int, ready: int, trusted: bool
) -> None:
    signals = {**BUSY, SignalName.QUEUE_DEPTH: queued, SignalName.ACTIVE_REQUESTS: active}
    expected = replace(outlook(trusted=trusted), expected=active, upper=active + queued)
    snapshot = seen(signals, replicas=replicas, ready=min(replicas, ready), outlook=expected)
    check(PolicyStatus(), policy(), snapshot)


def test_proposal_is_what_the_load_needs_before_a_regret_holds_it() -> None:
    regret = replace(
        LOOKED, last_down=NOON - 8 * MINUTE, last_up=NOON - 5 * MINUTE, advices=(), reserve=0.0
    )
    few = {**IDLE, SignalName.ACTIVE_REQUESTS: 12.0}
    snapshot, spec = seen(few, replicas=4), policy()
    decision = decided(spec, snapshot, regret)
    outline = outlines.after(PolicyStatus(), spec, snapshot, decision, FACTS)
    assert (outline.proposed, outline.desired, outline.decided) == (3, 4, "Stabilizing")
