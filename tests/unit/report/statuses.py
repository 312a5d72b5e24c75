"""Statuses of every shape, for the rules that hold for all of them.

Fields go by their names in the resource, since hypothesis would add those of the signature itself.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from agentscaler.api.status import (
    BottleneckStatus,
    BudgetStatus,
    CeilingStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    DecisionStatus,
    ForecastStatus,
    LimitsStatus,
    Outcome,
    PhantomStatus,
    PolicyStatus,
    ScalingEvent,
    StepStatus,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
words = st.text(st.characters(codec="utf-8"), max_size=20)
figures = st.just("") | st.floats(0, 1e9).map(lambda amount: f"{amount:g}")
counts = st.integers(0, 100_000)
moments = st.integers(0, 10**9).map(lambda seconds: LONG_AGO + timedelta(seconds=seconds))
names = st.sampled_from(["queueDepth", "latency", "metric/open-tickets", "gate/database"])


def _optional(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | values


steps = st.builds(StepStatus, name=words, before=counts, after=counts, reason=words, message=words)
decisions = st.builds(
    DecisionStatus,
    since=moments,
    reason=words,
    message=words,
    hint=words,
    steps=st.lists(steps, max_size=3).map(tuple),
)
forecasts = st.builds(
    ForecastStatus,
    method=words,
    lookahead=words,
    expected=figures,
    upper=figures,
    trusted=st.booleans(),
    message=words,
)
limits = st.builds(
    LimitsStatus,
    ceilings=st.lists(
        st.builds(
            CeilingStatus,
            provider=words,
            replicas=st.integers(1, 100),
            step=st.integers(1, 9),
            since=moments,
        ),
        max_size=3,
        unique_by=lambda ceiling: ceiling.provider,
    ).map(tuple),
    budget=_optional(
        st.builds(
            BudgetStatus,
            since=moments,
            asOf=moments,
            replicaHours=figures,
            spent=figures,
            projected=figures,
        )
    ),
    phantom=_optional(st.builds(PhantomStatus, requests=figures, since=moments)),
)
bottlenecks = st.builds(
    BottleneckStatus,
    verdict=st.sampled_from(["None", "Unknown", "Replicas"]),
    replicasHelp=words,
    message=words,
    recommendations=st.lists(words, max_size=3).map(tuple),
)
judged = st.lists(
    st.builds(
        Condition,
        type=st.sampled_from(ConditionType),
        status=st.sampled_from(ConditionStatus),
        reason=words,
        message=words,
        lastTransitionTime=moments,
        observedGeneration=counts,
    ),
    max_size=4,
    unique_by=lambda condition: condition.type,
).map(tuple)
events = st.builds(
    ScalingEvent,
    id=words,
    time=moments,
    to=counts,
    reason=words,
    message=words,
    signals=words,
    outcome=st.sampled_from(Outcome),
    failure=words,
    **{"from": counts},
)
statuses = st.builds(
    PolicyStatus,
    observedGeneration=counts,
    mode=words,
    reason=words,
    message=words,
    target=words,
    currentReplicas=_optional(counts),
    readyReplicas=_optional(counts),
    desiredReplicas=_optional(counts),
    lastScaleUpTime=_optional(moments),
    lastScaleDownTime=_optional(moments),
    lastUpdateTime=_optional(moments),
    leadTime=words,
    slotsPerReplica=figures,
    limits=_optional(limits),
    bottleneck=_optional(bottlenecks),
    decision=_optional(decisions),
    forecast=_optional(forecasts),
    signals=st.dictionaries(names, words),
    missing=st.dictionaries(names, words),
    conditions=judged,
    history=st.lists(events, max_size=4).map(tuple),
)
