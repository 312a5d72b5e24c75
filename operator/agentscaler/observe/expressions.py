"""PromQL for metrics that all agents export: one query gives a number for each of them.

Pure. Every query yields at most one series per namespace and agent, plus, for gauges, one marked
series for each agent whose newest sample is old.
"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Final, TypeAlias

from agentscaler.conventions import AGENT_LABEL, NAMESPACE_LABEL, POD_LABEL
from agentscaler.observe.presets import Exported, Kind, Naming
from agentscaler.quantities import format_duration

# Results carry the time of the question, not of the sample, and a sample is found for up to five
# minutes: what is older than this is told apart. No policy takes less for stale.
FRESH: Final = timedelta(minutes=2)
# Rates and latencies look back this far. It has to hold two samples: scrape at least every 30 s.
WINDOW: Final = timedelta(minutes=1)

Agent: TypeAlias = tuple[str, str]
"""Namespace and agent."""

# A query may name its agents twice in a URL of eight kilobytes, quoted.
_LONGEST_MATCH: Final = 1000

SAMPLED_LABEL: Final = "asp_sampled"
WORKLOAD_LABEL: Final = "asp_workload"

# Kubernetes names a Deployment's pods <name>-<hash>-<5 characters>, a StatefulSet's <name>-<n>;
# its random characters leave out vowels and what looks alike.
_RANDOM: Final = "[bcdfghjklmnpqrstvwxz2456789]"
POD_ENDINGS: Final = {
    "Deployment": f"-{_RANDOM}{{1,10}}-{_RANDOM}{{5}}",
    "StatefulSet": "-[0-9]+",
}
"""What follows the name of a workload in those of its pods, by its kind."""
_POD_NAME: Final = "|".join(f"(.+){ending}" for ending in POD_ENDINGS.values())


@dataclass(frozen=True, slots=True)
class Grouped:
    """One query for all agents. `subject` names the metric for people."""

    query: str
    kind: Kind
    subject: str
    window: timedelta


@dataclass(frozen=True, slots=True)
class Ratio:
    """The share of one grouped query in another, at most 1."""

    part: Grouped
    whole: Grouped


@lru_cache(maxsize=4096)  # ten thousand policies share a handful
def grouped(exported: Exported, naming: Naming, window: timedelta = WINDOW) -> Grouped:
    """Ask for one metric of all agents."""
    build = {Kind.GAUGE: _level, Kind.SHARE: _level, Kind.RATE: _rate, Kind.QUANTILE: _quantile}
    query = build[exported.kind](exported, naming, format_duration(window))
    return Grouped(query, exported.kind, exported.name, window)


def means(exported: Exported, naming: Naming, step: timedelta, agents: Iterable[Agent]) -> str:
    """Ask for the mean of a gauge over each step of a range, of these agents and maybe others."""
    return _over_steps("avg_over_time", exported, naming, step, agents)


def rates(exported: Exported, naming: Naming, step: timedelta, agents: Iterable[Agent]) -> str:
    """Ask for the rate of a counter over each step of a range, of these agents and maybe others."""
    return _over_steps("rate", exported, naming, step, agents)


def pods(exported: Exported, naming: Naming, agents: Iterable[Agent]) -> str:
    """Ask how many pods export a gauge, of these agents and maybe others."""
    series = f"{exported.name}{{{_of(naming, agents)}}}"
    return f"count by ({_labels(naming)}) ({named(series, naming)})"


def _over_steps(
    function: str, exported: Exported, naming: Naming, step: timedelta, agents: Iterable[Agent]
) -> str:
    matchers = ",".join(filter(None, (exported.matchers, _of(naming, agents))))
    selector = f"{exported.name}{{{matchers}}}[{format_duration(step)}]"
    return f"sum by ({_labels(naming)}) ({named(f'{function}({selector})', naming)})"


def _of(naming: Naming, agents: Iterable[Agent]) -> str:
    found = sorted(agents)
    matchers = [_one_of(NAMESPACE_LABEL, (namespace for namespace, _ in found))]
    if naming is Naming.LABEL:
        matchers.append(_one_of(AGENT_LABEL, (agent for _, agent in found)))
    return ",".join(matchers)


def by_pod(exported: Exported, naming: Naming, agents: Collection[Agent]) -> str:
    """Ask for a gauge of every pod of these agents, and maybe others, and when each was sampled."""
    labels = f"{_labels(naming)}, {POD_LABEL}"
    selector = _selector(replace(exported, matchers=_narrowed(exported.matchers, naming, agents)))
    sampled = f"min by ({labels}) ({named(f'timestamp({selector})', naming)})"
    return (
        f"sum by ({labels}) ({named(selector, naming)})"
        f' or label_replace({sampled}, "{SAMPLED_LABEL}", "1", "", "")'
    )


def _narrowed(matchers: str, naming: Naming, agents: Collection[Agent]) -> str:
    """Match these agents alone, unless they are so many that no URL would hold their names."""
    found = sorted(agents)
    parts = [matchers] if matchers else []
    parts.append(_one_of(NAMESPACE_LABEL, (namespace for namespace, _ in found)))
    if naming is Naming.LABEL:
        parts.append(_one_of(AGENT_LABEL, (agent for _, agent in found)))
    narrowed = ",".join(parts)
    return narrowed if len(narrowed) <= _LONGEST_MATCH else matchers


def _one_of(label: str, values: Iterable[str]) -> str:
    pattern = "|".join(re.escape(value) for value in dict.fromkeys(values))
    return f"{label}=~{json.dumps(pattern, ensure_ascii=False)}"


def _level(exported: Exported, naming: Naming, _window: str) -> str:
    """Add up a gauge over pods; mark the agents whose newest sample is old with its time."""
    labels = _labels(naming)
    merge = "avg" if exported.kind is Kind.SHARE else "sum"
    selector = _selector(exported)
    # `timestamp` knows the time of a sample only where it is given the bare selector.
    newest = f"max by ({labels}) ({named(f'timestamp({selector})', naming)})"
    old = f"{newest} < (time() - {FRESH.total_seconds():.0f})"
    return (
        f"{merge} by ({labels}) ({named(selector, naming)})"
        f' or label_replace({old}, "{SAMPLED_LABEL}", "1", "", "")'
    )


def _rate(exported: Exported, naming: Naming, window: str) -> str:
    rate = named(f"rate({_selector(exported)}[{window}])", naming)
    return f"sum by ({_labels(naming)}) ({rate})"


def _quantile(exported: Exported, naming: Naming, window: str) -> str:
    rate = named(f"rate({exported.name}_bucket[{window}])", naming)
    return f"histogram_quantile({exported.quantile:g}, sum by ({_labels(naming)}, le) ({rate}))"


def _selector(exported: Exported) -> str:
    return f"{exported.name}{{{exported.matchers}}}" if exported.matchers else exported.name


def _labels(naming: Naming) -> str:
    agent = AGENT_LABEL if naming is Naming.LABEL else WORKLOAD_LABEL
    return f"{NAMESPACE_LABEL}, {agent}"


def named(series: str, naming: Naming) -> str:
    """Give series of servers that know no agent the name of their workload, unless they say one."""
    if naming is Naming.LABEL:
        return series
    by_pod = f'label_replace({series}, "{WORKLOAD_LABEL}", "$1$2", "{POD_LABEL}", "{_POD_NAME}")'
    return f'label_replace({by_pod}, "{WORKLOAD_LABEL}", "$1", "{AGENT_LABEL}", "(.+)")'
