"""What a Prometheus result says: a number, a table of numbers, or why there is none.

Pure. Values arrive as texts, NaN and infinity among them; only what is finite and not negative is
a reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from agentscaler.conventions import AGENT_LABEL, NAMESPACE_LABEL
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.observe.expressions import SAMPLED_LABEL, WORKLOAD_LABEL, Agent

NO_SERIES = Missing(Why.EMPTY, "the query finds no series")


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of all agents; `sampled` has the time of the newest sample where it is old."""

    values: dict[Agent, float]
    sampled: dict[Agent, float]


def table_of(result: list[Any]) -> Table:
    """Read the result of a grouped query; raise if it is no such result.

    Series without a namespace or an agent belong to no policy and are left out. No Prometheus gives
    two for one agent; of a server that does, none is the right one. What is no number is none for
    its own agent alone.
    """
    table = Table({}, {})
    for series in result:
        labels = series["metric"]
        agent = agent_in(labels)
        if agent is not None:
            column = table.sampled if SAMPLED_LABEL in labels else table.values
            column[agent] = nan if agent in column else value_of(series)
    return table


def value_of(series: Mapping[str, Any]) -> float:
    """Give the number of a series; NaN for a native histogram, which any exporter may have."""
    return float(series["value"][1]) if "value" in series or "histogram" not in series else nan


def agent_in(labels: Mapping[str, str]) -> Agent | None:
    """Tell whose series it is that a grouped query gave."""
    agent = labels.get(AGENT_LABEL) or labels.get(WORKLOAD_LABEL)
    namespace = labels.get(NAMESPACE_LABEL)
    return (namespace, agent) if namespace and agent else None


def number_of(result: list[Any]) -> Reading:
    """Read the result of a query that should give one number."""
    if not result:
        return NO_SERIES
    if not isinstance(result[0], dict):  # a scalar or a text: [time, value]
        return reading_of(result[1])
    if len(result) > 1:
        return Missing(
            Why.AMBIGUOUS, f"the query gives {len(result)} series: aggregate with sum() or max()"
        )
    if "value" not in result[0]:
        return Missing(Why.NOT_A_NUMBER, "the query gives a histogram or a range, not one number")
    return reading_of(result[0]["value"][1])


def reading_of(value: str | float) -> Reading:
    """Take a number as a reading if it is finite and not negative."""
    try:
        number = float(value)
    except ValueError:
        return Missing(Why.NOT_A_NUMBER, "the query gives a text, not a number")
    if not isfinite(number):
        return Missing(Why.NOT_A_NUMBER, f"the value is {value}")
    if number < 0:
        return Missing(Why.NOT_A_NUMBER, f"the value is {number:g}, below zero")
    return number
