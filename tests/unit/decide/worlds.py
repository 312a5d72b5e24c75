"""Policies, snapshots and memories for the tests of the decision: by hand, and drawn at random."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from agentscaler.api.policy import PolicySpec, parse_spec
from agentscaler.api.signals import SignalName
from agentscaler.decide.decision import Advice, Level, Memory
from agentscaler.decide.limits import Ceiling, Learned, Spend, Still
from agentscaler.decide.snapshot import Missing, Reading, Replicas, Snapshot, Why
from agentscaler.forecast.outlook import Outlook

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
UNKNOWN = Missing(Why.UNAVAILABLE, "no answer")


def policy(**spec: Any) -> PolicySpec:
    """Give a policy with four slots a replica, unless `spec` says otherwise."""
    base = {"scaleTargetRef": {"name": "agent"}, "signals": {"capacity": {"perReplica": 4}}}
    return parse_spec({**base, "maxReplicas": 100, **spec})


def threshold(**spec: Any) -> PolicySpec:
    """Give a policy of the threshold strategy with its defaults."""
    return policy(**{"threshold": {}, **spec})


def seen(
    at: datetime = NOON,
    *,
    replicas: int = 4,
    ready: int | None = None,
    metrics: Mapping[str, Reading] | None = None,
    gates: Mapping[str, Reading] | None = None,
    outlook: Outlook | None = None,
    **signals: Reading,
) -> Snapshot:
    """Give a snapshot: signals by field name, those not given are calm."""
    readings: dict[str, Reading] = {"queue_depth": 0.0, "active_requests": 0.0, "error_ratio": 0.0}
    readings |= signals
    serving = replicas if ready is None else ready
    return Snapshot(
        now=at,
        replicas=Replicas(replicas, serving, max(0, replicas - serving)),
        signals={SignalName[name.upper()]: reading for name, reading in readings.items()},
        metrics=metrics or {},
        gates=gates or {},
        outlook=outlook,
    )


def outlook(upper: float, *, trusted: bool = True, expected: float | None = None) -> Outlook:
    """Give a forecast a minute ahead."""
    middle = upper if expected is None else expected
    return Outlook("test", MINUTE, middle, upper, trusted, "as told")


OLD = Memory(since=NOON - timedelta(days=1), slots_per_replica=4.0, ready=4)
"""The memory of an operator that has run for a day."""


def watched(memory: Memory) -> Memory:
    """Give the memory of a policy that was looked at all the while, and nothing was new."""
    return replace(memory, last=None)


# --- at random ---

loads = st.floats(0, 5000, allow_nan=False)
unknowns = st.sampled_from([Missing(why, "test") for why in Why])
readings = st.one_of(loads, unknowns)
ratios = st.one_of(st.floats(0, 1), unknowns)
moments = st.integers(0, 10**7).map(lambda seconds: NOON + seconds * SECOND)


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, int]:
    low = draw(st.integers(0, 30))
    return {"minReplicas": low, "maxReplicas": draw(st.integers(max(low, 1), 60))}


paces = st.fixed_dictionaries(
    {
        "cooldown": st.sampled_from(["0s", "30s", "5m", "1h"]),
        "maxStep": st.sampled_from([1, 3, "10%", "100%", "1000%"]),
    }
)
demands = st.fixed_dictionaries(
    {
        "targetUtilization": st.sampled_from(["30%", "70%", "100%"]),
        "spare": st.sampled_from([0, 2, "20%", "Auto"]),
        "drainBacklogWithin": st.sampled_from(["10s", "60s"]),
        "scaleUp": paces,
        "scaleDown": paces,
    }
)
thresholds = st.fixed_dictionaries(
    {
        "scaleUp": st.fixed_dictionaries({"cooldown": st.sampled_from(["0s", "60s"])}),
        "scaleDown": st.fixed_dictionaries({"cooldown": st.sampled_from(["0s", "300s"])}),
    }
)
fallbacks = st.sampled_from(
    [
        {"behavior": "Hold"},
        {"behavior": "AtLeast", "replicas": 7},
        {"behavior": "AtLeast", "replicas": 7, "afterFailures": 1},
    ]
)
METRICS = [
    {"name": "tickets", "query": "tickets", "target": {"perReplica": "20"}},
    {"name": "level", "query": "level", "target": {"value": "50"}},
]
GATES = [{"name": "database", "query": "db", "above": "90%"}]
LIMITS = {
    "providers": [{"name": "openai"}, {"name": "own", "ceiling": "20%"}],
    "budget": {"replicaHourCost": "0.5", "soft": "80", "hard": "120"},
}


@st.composite
def policies(draw: st.DrawFn) -> PolicySpec:
    strategy = draw(
        st.one_of(
            st.fixed_dictionaries({"demand": demands}),
            st.fixed_dictionaries({"threshold": thresholds}),
        )
    )
    return policy(
        **draw(bounds()),
        **strategy,
        metrics=draw(st.sampled_from([[], METRICS])),
        gates=draw(st.sampled_from([[], GATES])),
        fallback=draw(fallbacks),
        limits=draw(st.sampled_from([{}, LIMITS])),
    )


outlooks = st.one_of(
    st.none(),
    st.builds(lambda upper, trusted: outlook(upper, trusted=trusted), loads, st.booleans()),
)


@st.composite
def snapshots(draw: st.DrawFn, values: st.SearchStrategy[Reading] = readings) -> Snapshot:
    replicas = draw(st.integers(0, 80))
    ready = draw(st.integers(0, replicas))
    return Snapshot(
        now=draw(moments),
        replicas=Replicas(replicas, ready, replicas - ready, draw(st.booleans())),
        signals={name: draw(values) for name in SignalName},
        metrics={"tickets": draw(values), "level": draw(values)},
        gates={"database": draw(values)},
        outlook=draw(outlooks),
        partial=draw(st.sampled_from(["", "one store did not answer"])),
        providers={"openai": draw(ratios), "own": draw(ratios)},
    )


@st.composite
def known_limits(draw: st.DrawFn, now: datetime) -> Learned:
    ages = st.integers(0, 4000).map(lambda age: now - age * SECOND)
    spends = st.builds(Spend, ages, st.floats(0, 300), ages)
    return Learned(
        ceilings=tuple(
            Ceiling(name, draw(st.integers(1, 80)), draw(st.integers(1, 9)), draw(ages))
            for name in draw(st.sampled_from([(), ("openai",), ("openai", "own")]))
        ),
        spend=draw(st.none() | spends),
        still=draw(
            st.none() | st.builds(Still, st.integers(1, 40).map(float), ages, st.booleans())
        ),
        replicas=draw(st.none() | st.integers(0, 80)),
        grown=draw(st.integers(0, 20)),
    )


def levels(now: datetime) -> st.SearchStrategy[Level]:
    ages = st.integers(0, 300).map(lambda age: now - age * SECOND)
    means = st.floats(-9, 9)
    return st.builds(Level, ages, loads, loads, means, st.floats(0, 9), means, st.integers(0, 99))


@st.composite
def memories(draw: st.DrawFn, now: datetime) -> Memory:
    ages = st.one_of(st.none(), st.integers(0, 7200).map(lambda age: now - age * SECOND))
    # As decisions leave it: an advice that a later one exceeds is not kept.
    past = sorted(draw(st.sets(st.integers(0, 900), max_size=5)))
    counts = sorted(draw(st.sets(st.integers(0, 80), min_size=len(past), max_size=len(past))))
    return Memory(
        since=draw(ages),
        last_up=draw(ages),
        last_down=draw(ages),
        advices=tuple(
            Advice(now - age * SECOND, replicas)
            for age, replicas in zip(reversed(past), reversed(counts), strict=True)
        ),
        failures=draw(st.integers(0, 5)),
        slots_per_replica=draw(st.sampled_from([None, 1.0, 4.0])),
        ready=draw(st.sampled_from([None, 0, 4])),
        reserve=draw(st.none() | st.floats(-2, 4)),
        level=draw(st.none() | levels(now)),
        limits=draw(known_limits(now)),
    )
