"""Where the time and the resources of agents go, as Prometheus has it.

A constant number of queries, whatever the number of agents. Pods are told by the names that the
runtime exports and cAdvisor gives; what a server does not have is left out.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final

from agentscaler.clock import Clock
from agentscaler.conventions import (
    AGENT_LABEL,
    LLM_RESPONSES,
    NAMESPACE_LABEL,
    OPERATION_DURATION,
    OPERATION_LABEL,
    OUTCOME_LABEL,
    OUTCOME_RATE_LIMITED,
    POD_LABEL,
    PROVIDER_LABEL,
)
from agentscaler.decide.snapshot import Missing
from agentscaler.errors import SourceError
from agentscaler.observe import answers, expressions
from agentscaler.observe.asks import Server
from agentscaler.observe.expressions import WORKLOAD_LABEL, Agent
from agentscaler.observe.presets import Naming
from agentscaler.observe.prometheus import Caller, Prometheus
from agentscaler.observe.sources import NO_SECRETS, Sources

WINDOW: Final = "15m"  # long enough for slow operations, short enough to speak of the present
_WINDOW_SECONDS: Final = 15 * 60
_STEP: Final = "1m"
_PATIENCE_SECONDS: Final = 30.0
_RESOURCE: Final = "resource"
_AGENT: Final = f"{NAMESPACE_LABEL}, {AGENT_LABEL}"


@dataclass(slots=True)
class Profile:
    """What is known of one agent: seconds by operation, calls and refused share by provider, usage.

    `usage_means` and `usage_peaks` are shares of the containers' limits, by resource.
    """

    means: dict[str, float] = field(default_factory=dict)
    p90s: dict[str, float] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)
    calls: dict[str, float] = field(default_factory=dict)
    usage_means: dict[str, float] = field(default_factory=dict)
    usage_peaks: dict[str, float] = field(default_factory=dict)


async def fetch(
    prometheus: Prometheus, caller: Caller, at: datetime, namespace: str | None = None
) -> Mapping[Agent, Profile]:
    """Ask where the time goes, for all agents or those of a namespace; raise SourceError."""
    asked = _queries(namespace)
    results = await asyncio.gather(
        *(prometheus.instant(query, caller, at, list) for _, _, query in asked)
    )
    found: dict[Agent, Profile] = {}
    for (part, label, _), answer in zip(asked, results, strict=True):
        for series in answer.content:
            _note(found, part, label, series)
    return found


async def fetch_from_own(sources: Sources, clock: Clock) -> Mapping[Agent, Profile]:
    """Ask the operator's own server for all agents; raise SourceError."""
    found = sources.find(Server(), NO_SECRETS)
    if isinstance(found, Missing):
        raise SourceError(str(found))
    prometheus, credentials = found
    caller = Caller(clock.monotonic() + _PATIENCE_SECONDS, credentials)
    return await fetch(prometheus, caller, clock.now())


def _note(found: dict[Agent, Profile], part: str, label: str, series: dict[str, Any]) -> None:
    agent, value = answers.agent_in(series["metric"]), answers.value_of(series)
    name = series["metric"].get(label)
    if agent and name and isfinite(value):
        getattr(found.setdefault(agent, Profile()), part)[name] = value


def _queries(namespace: str | None) -> tuple[tuple[str, str, str], ...]:
    """Give the part of the profile, the label that names its rows, and the query."""
    within = "" if namespace is None else f"{NAMESPACE_LABEL}={json.dumps(namespace)},"
    taken, runs = (
        _rate(f"{OPERATION_DURATION}_{part}{{{within}}}", OPERATION_LABEL)
        for part in ("sum", "count")
    )
    buckets = _rate(f"{OPERATION_DURATION}_bucket{{{within}}}", f"{OPERATION_LABEL}, le")
    called = _rate(f"{LLM_RESPONSES}{{{within}}}", PROVIDER_LABEL)
    limited = f'{within}{OUTCOME_LABEL}="{OUTCOME_RATE_LIMITED}"'
    refused = _rate(f"{LLM_RESPONSES}{{{limited}}}", PROVIDER_LABEL)
    return (
        ("means", OPERATION_LABEL, f"{taken} / ({runs} > 0)"),
        ("p90s", OPERATION_LABEL, f"histogram_quantile(0.9, {buckets})"),
        ("refused", PROVIDER_LABEL, f"{refused} / ({called} > 0)"),
        ("calls", PROVIDER_LABEL, f"{called} * {_WINDOW_SECONDS}"),
        ("usage_means", _RESOURCE, _usage("avg", within)),
        ("usage_peaks", _RESOURCE, _usage("max", within)),
    )


def _rate(series: str, by: str) -> str:
    return f"sum by ({_AGENT}, {by}) (rate({series}[{WINDOW}]))"


def _usage(merge: str, within: str) -> str:
    """Ask for CPU and memory of containers as shares of their limits, over time and pods."""
    within = f'{within}container!=""'
    shares = {
        "cpu": _share(
            f"rate(container_cpu_usage_seconds_total{{{within}}}[2m])",
            f"container_spec_cpu_quota{{{within}}} / container_spec_cpu_period{{{within}}}",
        ),
        "memory": _share(
            f"container_memory_working_set_bytes{{{within}}}",
            f"container_spec_memory_limit_bytes{{{within}}}",
        ),
    }
    parts = (
        f"label_replace({merge} by ({NAMESPACE_LABEL}, {WORKLOAD_LABEL}) "
        f"({_over_time(merge, share)}), "
        f'"{_RESOURCE}", "{name}", "", "")'
        for name, share in shares.items()
    )
    return " or ".join(parts)


def _over_time(merge: str, share: str) -> str:
    return expressions.named(f"{merge}_over_time(({share})[{WINDOW}:{_STEP}])", Naming.POD)


def _share(used: str, limit: str) -> str:
    """Divide by the limit; a container that restarted has two series for a while."""
    by = f"max by ({NAMESPACE_LABEL}, {POD_LABEL}, container)"
    return f"{by} ({used}) / ({by} ({limit}) > 0)"
