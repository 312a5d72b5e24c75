"""Read back all that was recorded of one agent, so that its past can be lived through again.

For commands that a person waits for: a failure is raised. The operator itself reads only the load
(see `recorded`).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import floor
from typing import Any, Final

import numpy as np

from agentscaler.api.policy import Policy
from agentscaler.api.signals import EmptyResult, SignalName
from agentscaler.clock import Clock
from agentscaler.decide.snapshot import Missing
from agentscaler.errors import SourceUnavailableError
from agentscaler.observe import asks, expressions, presets, timelines
from agentscaler.observe.asks import Custom
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.presets import Exported, Kind
from agentscaler.observe.prometheus import Caller, Prometheus
from agentscaler.observe.sources import NO_SECRETS, Sources
from agentscaler.observe.timelines import Loads, Timeline

STEP: Final = timedelta(minutes=1)
_PATIENCE: Final = 60.0  # for one question, in seconds; ten thousand steps of it are a week


class Replicas(StrEnum):
    """What is known of the counts of a target."""

    ASKED = "asked"
    READY = "ready"
    EXPORTING = "exporting"


@dataclass(frozen=True, slots=True)
class _Ask:
    """A query and how its answer is read."""

    query: str
    read: Callable[[list[Any], Timeline], Loads]


@dataclass(frozen=True, slots=True)
class Found:
    """What was recorded, step by step from `start` on; what was never recorded is all NaN.

    `further` are the custom metrics and the gates, as "metrics.NAME" and "gates.NAME".
    """

    start: datetime
    step: timedelta
    signals: Mapping[SignalName, Loads]
    replicas: Mapping[Replicas, Loads]
    further: Mapping[str, Loads]


async def fetch(
    policy: Policy, sources: Sources, clock: Clock, *, start: datetime, end: datetime
) -> Found:
    """Read what the policy's server recorded of its agent and target; raise SourceError."""
    found = sources.find(asks.server_of(policy), NO_SECRETS)
    if isinstance(found, Missing):
        raise SourceUnavailableError(str(found))
    timeline = _timeline(start, end)
    further = _further(policy)
    questions: dict[str, _Ask] = {**_of_signals(policy), **_of_replicas(policy), **further}
    rows = await asyncio.gather(*(_put(ask, found, clock, timeline) for ask in questions.values()))
    answers = dict(zip(questions, rows, strict=True))
    return Found(
        timeline.start,
        timeline.step,
        {name: _meant(policy, name, answers, timeline) for name in _SIGNALS},
        {name: answers.get(name, timeline.gaps()) for name in Replicas},
        {name: answers[name] for name in further},
    )


_SIGNALS: Final = (
    SignalName.ACTIVE_REQUESTS,
    SignalName.QUEUE_DEPTH,
    SignalName.CAPACITY,
    SignalName.ARRIVAL_RATE,
    SignalName.COMPLETION_RATE,
)


def _timeline(start: datetime, end: datetime) -> Timeline:
    count = max(1, floor((end - start) / STEP))
    return Timeline.back(end, count * STEP, STEP)


def _of_signals(policy: Policy) -> dict[str, _Ask]:
    found: dict[str, _Ask] = {}
    agents = [asks.agent_of(policy)]
    naming = presets.PRESETS[policy.spec.signals.preset].naming
    for name in _SIGNALS:
        match asks.origin_of(policy.spec, name):
            case Exported(kind=Kind.GAUGE) as gauge:
                found[name] = _Ask(expressions.means(gauge, naming, STEP, agents), _of(agents[0]))
            case Exported(kind=Kind.RATE) as counter:
                found[name] = _Ask(expressions.rates(counter, naming, STEP, agents), _of(agents[0]))
            case Custom(query=query):
                found[name] = _Ask(query, timelines.row_of)
            case _:
                pass  # not exported, or nothing that adds up
    return found


def _of_replicas(policy: Policy) -> dict[str, _Ask]:
    """Ask kube-state-metrics, and count the pods that export what is being served."""
    ref = policy.spec.scale_target_ref
    kind = ref.kind.lower()
    target = f'{{namespace="{policy.namespace}",{kind}="{ref.name}"}}'
    found: dict[str, _Ask] = {
        Replicas.ASKED: _Ask(f"max(kube_{kind}_status_replicas{target})", timelines.row_of),
        Replicas.READY: _Ask(f"max(kube_{kind}_status_replicas_ready{target})", timelines.row_of),
    }
    origin = asks.origin_of(policy.spec, SignalName.ACTIVE_REQUESTS)
    if isinstance(origin, Exported):
        agents = [asks.agent_of(policy)]
        naming = presets.PRESETS[policy.spec.signals.preset].naming
        found[Replicas.EXPORTING] = _Ask(expressions.pods(origin, naming, agents), _of(agents[0]))
    return found


def _further(policy: Policy) -> dict[str, _Ask]:
    """Ask for the queries of the user as they are."""
    queries = {
        **{f"metrics.{each.name}": each.query for each in policy.spec.metrics},
        **{f"gates.{each.name}": each.query for each in policy.spec.gates},
    }
    return {name: _Ask(query, timelines.row_of) for name, query in queries.items()}


def _of(agent: expressions.Agent) -> Callable[[list[Any], Timeline], Loads]:
    def read(result: list[Any], timeline: Timeline) -> Loads:
        return timelines.rows_of(result, timeline).get(agent, timeline.gaps())

    return read


async def _put(
    ask: _Ask, server: tuple[Prometheus, Credentials], clock: Clock, timeline: Timeline
) -> Loads:
    prometheus, credentials = server
    row = timeline.gaps()
    for span in timeline.spans(1):
        caller = Caller(clock.monotonic() + 2 * _PATIENCE, credentials, _PATIENCE)
        answer = await prometheus.span(
            ask.query, caller, span, lambda result: ask.read(result, timeline)
        )
        row = np.fmax(row, answer.content)
    return row


def _meant(
    policy: Policy, name: SignalName, answers: Mapping[str, Loads], timeline: Timeline
) -> Loads:
    row = answers.get(name, timeline.gaps())
    if asks.signal_of(policy.spec, name).empty_result is EmptyResult.ZERO:
        row = np.nan_to_num(row)
    return row
