"""Events: derived from two statuses, named by what they tell."""

import re

import pytest

from agentscaler.api.signals import SignalName
from agentscaler.api.status import Outcome, PolicyStatus, Reason
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.report import composing, events, troubles
from agentscaler.report.events import Notice, Reference
from agentscaler.report.outlines import Facts
from tests.unit.report.scenes import (
    BUSY,
    FACTS,
    LOOKED,
    MINUTE,
    NOON,
    TARGET,
    decided,
    policy,
    seen,
)

POLICY = events.refer(policy())
DEPLOYMENT = Reference("apps/v1", "Deployment", "agents", "research-agent", "uid-of-deployment")
BLIND = {**BUSY, SignalName.QUEUE_DEPTH: Missing(Why.UNAVAILABLE, "connection refused")}


def status(
    signals: dict[SignalName, object] | None = None,
    old: PolicyStatus | None = None,
    *,
    memory: Memory = LOOKED,
    facts: Facts = FACTS,
    mode: str = "Auto",
) -> PolicyStatus:
    held = policy(minReplicas=4, maxReplicas=4, mode=mode)
    snapshot = seen(signals or BUSY)  # type: ignore[arg-type]
    decision = decided(held, snapshot, memory)
    return composing.decided(old or PolicyStatus(), held, snapshot, decision, facts)


def told(old: PolicyStatus, new: PolicyStatus) -> list[tuple[str, str, str]]:
    notices = events.between(old, new, policy=POLICY, target=DEPLOYMENT, now=NOON + MINUTE)
    return [(notice.about.kind, notice.type, notice.reason) for notice in notices]


def scaled(outcome: Outcome, *, mode: str = "Auto", failure: str = "") -> list[Notice]:
    acting = policy(mode=mode)
    old = composing.decided(PolicyStatus(), acting, seen(), decided(acting, seen()), FACTS)
    if outcome is Outcome.RECOMMENDED:
        old, new = PolicyStatus(), old
    else:
        new = composing.ended(old, old.history[0], outcome, failure=failure)
    notices = events.between(old, new, policy=POLICY, target=DEPLOYMENT, now=NOON)
    return [notice for notice in notices if notice.identity == new.history[0].id]


def test_scaling_is_told_on_policy_and_target_with_its_decision() -> None:
    on_policy, on_target = scaled(Outcome.APPLIED)
    assert (on_policy.about, on_target.about) == (POLICY, DEPLOYMENT)
    assert (on_policy.type, on_policy.reason) == ("Normal", Reason.SCALED_UP)
    assert re.search(r"^goes from 4 to \d+: .* \(decision [0-9a-f]{10}\)$", on_policy.message)


@pytest.mark.parametrize(
    ("outcome", "mode", "expected"),
    [
        (Outcome.RECOMMENDED, "Recommend", ("Normal", Reason.SCALING_RECOMMENDED)),
        (Outcome.FAILED, "Auto", ("Warning", Reason.SCALING_FAILED)),
    ],
)
def test_scaling_is_told_by_its_outcome(
    outcome: Outcome, mode: str, expected: tuple[str, str]
) -> None:
    notice, _ = scaled(outcome, mode=mode, failure="forbidden")
    assert (notice.type, notice.reason) == expected


def test_failed_scaling_tells_its_cause() -> None:
    notice, _ = scaled(Outcome.FAILED, failure="forbidden")
    assert "; not applied: forbidden (decision " in notice.message


def test_shrinking_is_told_as_such() -> None:
    old = status()
    event = old.model_copy(
        update={"history": (_pending(4, 2).model_copy(update={"outcome": Outcome.APPLIED}),)}
    )
    assert told(old, event) == [
        ("AgentScalingPolicy", "Normal", Reason.SCALED_DOWN),
        ("Deployment", "Normal", Reason.SCALED_DOWN),
    ]


def _pending(before: int, after: int):  # type: ignore[no-untyped-def]
    acting = policy(maxReplicas=20)
    drafted = composing.decided(
        PolicyStatus(), acting, seen(), decided(acting, seen()), FACTS
    ).history[0]
    return drafted.model_copy(update={"from_": before, "to": after})


def test_pending_scaling_is_not_told_yet() -> None:
    old = status()
    assert told(old, old.model_copy(update={"history": (_pending(4, 7),)})) == []


def test_metrics_are_told_when_they_go_and_when_they_return() -> None:
    well, ill = status(), status(BLIND)  # type: ignore[arg-type]
    kind = "AgentScalingPolicy"
    assert told(well, ill) == [(kind, "Warning", Reason.METRICS_UNAVAILABLE)]
    assert told(ill, well) == [(kind, "Normal", Reason.METRICS_RESTORED)]
    assert told(ill, ill) == []
    assert told(PolicyStatus(), well) == []
    assert told(PolicyStatus(), ill) == [(kind, "Warning", Reason.METRICS_UNAVAILABLE)]


def test_fallback_is_told_when_it_begins() -> None:
    ill = status(BLIND)  # type: ignore[arg-type]
    worse = status(BLIND, ill, memory=Memory(since=NOON, failures=2))  # type: ignore[arg-type]
    assert told(ill, worse) == [("AgentScalingPolicy", "Warning", Reason.FALLBACK_APPLIED)]
    assert told(worse, worse) == []


def test_contest_is_told_on_policy_and_target() -> None:
    trouble = troubles.contested("helm", target=TARGET, found=2, decided=4)
    contested = status(facts=Facts(TARGET, contest=trouble))
    assert told(status(), contested) == [
        ("AgentScalingPolicy", "Warning", Reason.REPLICAS_CONTESTED),
        ("Deployment", "Warning", Reason.REPLICAS_CONTESTED),
    ]
    assert told(contested, contested) == []


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (troubles.invalid_spec(("spec: bad",)), Reason.INVALID_SPEC),
        (troubles.target_not_found("Deployment", "x"), Reason.TARGET_NOT_FOUND),
        (troubles.target_shared("agents/older"), Reason.CONFLICT),
        (troubles.other_autoscaler("ScaledObject", "x"), Reason.CONFLICT),
    ],
    ids=["invalid", "not-found", "shared", "other-autoscaler"],
)
def test_obstacle_is_told_once_and_so_is_its_end(trouble: troubles.Trouble, reason: str) -> None:
    well = status()
    halted = composing.halted(well, trouble, generation=3, now=NOON)
    kind = "AgentScalingPolicy"
    assert told(well, halted) == [(kind, "Warning", reason)]
    assert told(halted, composing.halted(halted, trouble, generation=3, now=NOON + MINUTE)) == []
    assert told(halted, well) == [(kind, "Normal", Reason.RECOVERED)]


def test_other_problems_of_the_spec_are_told_anew() -> None:
    first = composing.halted(PolicyStatus(), troubles.invalid_spec(("a",)), generation=1, now=NOON)
    second = composing.halted(first, troubles.invalid_spec(("b",)), generation=2, now=NOON)
    assert told(first, second) == [("AgentScalingPolicy", "Warning", Reason.INVALID_SPEC)]


def test_nothing_is_told_on_a_target_that_is_not_known() -> None:
    trouble = troubles.contested("helm", target=TARGET, found=2, decided=4)
    contested = status(facts=Facts(TARGET, contest=trouble))
    notices = events.between(status(), contested, policy=POLICY, target=None, now=NOON)
    assert [notice.about for notice in notices] == [POLICY]


def test_name_is_made_from_what_is_told_and_of_whom() -> None:
    on_policy, on_target = scaled(Outcome.APPLIED)
    again, _ = scaled(Outcome.APPLIED)
    assert on_policy.name == again.name
    assert on_policy.name != on_target.name
    assert re.fullmatch(r"research-agent\.[0-9a-f]{16}", on_policy.name)


def test_name_of_an_object_with_a_long_name_is_valid() -> None:
    about = Reference("v1", "X", "agents", "a" * 235 + "." + "b" * 17, "uid")
    notice = Notice(about, "Normal", "R", "m", "1", NOON)
    assert re.fullmatch(r"a{235}\.[0-9a-f]{16}", notice.name)


def test_body_is_a_core_event() -> None:
    notice = Notice(DEPLOYMENT, "Normal", "ScaledUp", "é" * 600, "1", NOON + MINUTE)
    body = events.render(notice, name=notice.name, instance="pod-0", first=NOON, count=3)
    message = body.pop("message")
    assert len(message.encode()) <= 1024
    assert message.endswith("é…")
    assert body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": notice.name, "namespace": "agents"},
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": "agents",
            "name": "research-agent",
            "uid": "uid-of-deployment",
        },
        "type": "Normal",
        "reason": "ScaledUp",
        "source": {"component": "agentscaler"},
        "reportingComponent": "agentscaler",
        "reportingInstance": "pod-0",
        "firstTimestamp": "2026-11-24T12:00:00Z",
        "lastTimestamp": "2026-11-24T12:01:00Z",
        "count": 3,
    }
