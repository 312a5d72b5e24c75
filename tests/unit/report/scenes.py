"""Small scenes for the tests of what is reported: a policy, what is seen, what is decided."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agentscaler.api.policy import Policy, parse_spec
from agentscaler.api.signals import SignalName
from agentscaler.api.status import PolicyStatus
from agentscaler.decide import engine
from agentscaler.decide.decision import Decision, Memory
from agentscaler.decide.snapshot import Reading, Replicas, Snapshot
from agentscaler.forecast.outlook import Outlook
from agentscaler.report import outlines
from agentscaler.report.outlines import Facts

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TARGET = "Deployment/research-agent"
FACTS = Facts(target=TARGET, lead_time=timedelta(seconds=42))
LOOKED = Memory(since=NOON - MINUTE)
BUSY: Mapping[SignalName, Reading] = {
    SignalName.QUEUE_DEPTH: 12.0,
    SignalName.ACTIVE_REQUESTS: 16.0,
    SignalName.CAPACITY: 16.0,
    SignalName.LATENCY: 4.236,
    SignalName.ERROR_RATIO: 0.004,
}
IDLE: Mapping[SignalName, Reading] = {
    SignalName.QUEUE_DEPTH: 0.0,
    SignalName.ACTIVE_REQUESTS: 1.0,
    SignalName.CAPACITY: 16.0,
}


def policy(generation: int = 3, **spec: Any) -> Policy:
    return Policy(
        namespace="agents",
        name="research-agent",
        uid="5c1e8a1e-0000-4000-8000-000000000001",
        generation=generation,
        created=NOON - timedelta(days=1),
        spec=parse_spec({"scaleTargetRef": {"name": "research-agent"}, **spec}),
    )


def seen(
    signals: Mapping[SignalName, Reading] = BUSY,
    *,
    at: datetime = NOON,
    replicas: int = 4,
    ready: int | None = None,
    **more: Any,
) -> Snapshot:
    counts = Replicas(current=replicas, ready=replicas if ready is None else ready)
    return Snapshot(now=at, replicas=counts, signals=signals, **more)


def decided(policy: Policy, snapshot: Snapshot, memory: Memory = LOOKED) -> Decision:
    return engine.decide(policy.spec, snapshot, memory)


def is_material(old: PolicyStatus, new: PolicyStatus) -> bool:
    return outlines.is_material(outlines.of(old), outlines.of(new))


def outlook(*, trusted: bool = True) -> Outlook:
    return Outlook(
        method="Mixture",
        lookahead=timedelta(seconds=42),
        expected=18.31,
        upper=24.6,
        trusted=trusted,
        message="off by 9 % lately where the last value is off by 14 %",
    )
