"""What each pod of some policies serves: asked only when pods are to go, for all in one query.

A pod without a series has no reading here, which is not the same as idle.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite, nan
from typing import Any, Final, TypeAlias

from agentscaler.api.policy import Policy
from agentscaler.api.signals import SignalName
from agentscaler.conventions import POD_LABEL
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.errors import SourceError
from agentscaler.observe import answers, asks, expressions, presets
from agentscaler.observe.asks import Server
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.expressions import FRESH, SAMPLED_LABEL, Agent
from agentscaler.observe.failures import missing_of
from agentscaler.observe.presets import Exported, Kind, Naming
from agentscaler.observe.prometheus import Caller
from agentscaler.observe.sources import SecretKey, Sources
from agentscaler.quantities import format_duration

_NO_METRIC: Final = Missing(
    Why.EMPTY, "no metric counts the requests of each pod: set drain.activeRequestsPerPod.metric"
)


@dataclass(frozen=True, slots=True)
class PodReading:
    """What a pod serves, and when that was sampled."""

    value: Reading
    sampled: datetime


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric with a series for each pod, and how these tell their agent."""

    exported: Exported
    naming: Naming

    def query(self, agents: Collection[Agent]) -> str:
        """Ask for the pods of these agents."""
        return expressions.by_pod(self.exported, self.naming, agents)


PodReadings: TypeAlias = Mapping[str, PodReading] | Missing
"""The readings of a policy's pods by name, or why there are none at all."""

_Question: TypeAlias = tuple[Server, Gauge]
_Table: TypeAlias = dict[Agent, dict[str, tuple[float, float]]]


async def read_pods(
    sources: Sources,
    policies: Sequence[Policy],
    *,
    until: float,
    now: datetime,
    secrets: Mapping[SecretKey, Credentials],
) -> dict[str, PodReadings]:
    """Read the requests in flight of every pod of these policies, by the policies' keys.

    Each server is asked once for each metric. Never raise for what a server does.
    """
    gauges = {policy.key: gauge_of(policy) for policy in policies}
    asked: dict[_Question, set[Agent]] = {}
    for policy in policies:
        gauge = gauges[policy.key]
        if isinstance(gauge, Gauge):
            question = asks.server_of(policy), gauge
            asked.setdefault(question, set()).add(asks.agent_of(policy))
    put = (
        _ask(sources, server, gauge.query(agents), until=until, now=now, secrets=secrets)
        for (server, gauge), agents in asked.items()
    )
    tables = dict(zip(asked, await asyncio.gather(*put), strict=True))
    return {
        policy.key: gauge
        if isinstance(gauge := gauges[policy.key], Missing)
        else _of_policy(policy, tables[asks.server_of(policy), gauge], now)
        for policy in policies
    }


def gauge_of(policy: Policy) -> Gauge | Missing:
    """Tell what counts the requests of each pod, or say why nothing does."""
    spec = policy.spec
    origin = asks.origin_of(spec, SignalName.ACTIVE_REQUESTS)
    metric = spec.drain.active_requests_per_pod.metric if spec.drain else None
    if metric is not None:
        origin = Exported(Kind.GAUGE, metric)
    if not isinstance(origin, Exported) or origin.kind is not Kind.GAUGE:
        return _NO_METRIC
    return Gauge(origin, presets.PRESETS[spec.signals.preset].naming)


async def _ask(
    sources: Sources,
    server: Server,
    query: str,
    *,
    until: float,
    now: datetime,
    secrets: Mapping[SecretKey, Credentials],
) -> _Table | Missing:
    found = sources.find(server, secrets)
    if isinstance(found, Missing):
        return found
    prometheus, credentials = found
    try:
        answer = await prometheus.instant(query, Caller(until, credentials), now, table_of)
    except SourceError as exc:
        return missing_of(exc)
    if answer.warning:  # a pod that was left out looks like one without requests
        return Missing(Why.UNAVAILABLE, f"the answer is incomplete: {answer.warning}")
    return answer.content


def table_of(result: list[Any]) -> _Table:
    """Read the result: value and time of sample by agent and pod; raise if it is no such result."""
    values: dict[tuple[Agent, str], float] = {}
    sampled: dict[tuple[Agent, str], float] = {}
    for series in result:
        labels = series["metric"]
        agent, pod = answers.agent_in(labels), labels.get(POD_LABEL)
        if agent and pod:
            column = sampled if SAMPLED_LABEL in labels else values
            known = (agent, pod) in column
            column[agent, pod] = nan if known else answers.value_of(series)
    table: _Table = {}
    for (agent, pod), value in values.items():
        if isfinite(sampled.get((agent, pod), nan)):
            table.setdefault(agent, {})[pod] = value, sampled[agent, pod]
    return table


def _of_policy(policy: Policy, table: _Table | Missing, now: datetime) -> PodReadings:
    if isinstance(table, Missing):
        return table
    patience = max(4 * policy.spec.polling_interval, FRESH)
    pods = table.get(asks.agent_of(policy), {})
    return {
        name: _reading(value, datetime.fromtimestamp(at, UTC), now, patience)
        for name, (value, at) in pods.items()
    }


def _reading(value: float, sampled: datetime, now: datetime, patience: timedelta) -> PodReading:
    age = now - sampled
    if age > patience:
        told = format_duration(timedelta(seconds=round(age.total_seconds())))
        return PodReading(Missing(Why.STALE, f"the newest sample is {told} old"), sampled)
    return PodReading(answers.reading_of(value), sampled)
