"""Which metrics a server exports for each signal, as tables.

Names only; how they are asked is `asks`. A name that is missing here is something the server does
not export: the policy then has to say it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agentscaler import conventions
from agentscaler.api.signals import Preset, SignalName


class Naming(StrEnum):
    """How a series tells its agent."""

    LABEL = "label"
    """By the label `agent`."""

    POD = "pod"
    """By the label `agent` where there is one, else by the name of its pod's workload."""


class Kind(StrEnum):
    """What a metric is, hence how its series become one number."""

    GAUGE = "gauge"
    """Added up over the agent's pods."""

    SHARE = "share"
    """A ratio: the mean over the agent's pods."""

    RATE = "rate"
    """A counter, read as its rate per second, added up."""

    QUANTILE = "quantile"
    """A histogram, read as one of its quantiles."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One metric of a server; `matchers` narrows its series, `quantile` is read of a histogram."""

    kind: Kind
    name: str
    matchers: str = ""
    quantile: float = 0.95


@dataclass(frozen=True, slots=True)
class Failures:
    """How a share of failed requests is made: those that failed over all that ended."""

    failed: Exported
    ended: Exported


@dataclass(frozen=True, slots=True)
class Exports:
    """What one kind of server exports."""

    naming: Naming
    signals: Mapping[SignalName, Exported | Failures]


def _gauge(name: str) -> Exported:
    return Exported(Kind.GAUGE, name)


def _counter(name: str, matchers: str = "") -> Exported:
    return Exported(Kind.RATE, name, matchers)


def _histogram(name: str) -> Exported:
    return Exported(Kind.QUANTILE, name)


def outcomes(counter: str) -> Failures:
    """Tell failures by the label `outcome`, as the runtime and the gateway count."""
    bad = f'{conventions.OUTCOME_LABEL}!="{conventions.OUTCOME_OK}"'
    return Failures(failed=_counter(counter, bad), ended=_counter(counter))


def refusals(metric: str, provider: str) -> Exported | Failures:
    """Tell the calls that a provider refused for its limits from all, as the runtime counts."""
    of_provider = f'{conventions.PROVIDER_LABEL}="{provider}"'
    if not metric.endswith("_total"):
        return Exported(Kind.SHARE, metric, of_provider)
    refused = f'{conventions.OUTCOME_LABEL}="{conventions.OUTCOME_RATE_LIMITED}"'
    return Failures(
        failed=_counter(metric, f"{of_provider},{refused}"), ended=_counter(metric, of_provider)
    )


_AGENTSCALER: Final = Exports(
    Naming.LABEL,
    MappingProxyType(
        {
            SignalName.QUEUE_DEPTH: _gauge(conventions.QUEUE_DEPTH),
            SignalName.ACTIVE_REQUESTS: _gauge(conventions.ACTIVE_REQUESTS),
            SignalName.CAPACITY: _gauge(conventions.CAPACITY),
            SignalName.LATENCY: _histogram(conventions.REQUEST_DURATION),
            SignalName.WAIT: _histogram(conventions.REQUEST_WAIT),
            SignalName.ARRIVAL_RATE: _counter(conventions.REQUESTS_RECEIVED),
            SignalName.COMPLETION_RATE: _counter(conventions.REQUESTS_ENDED),
            SignalName.ERROR_RATIO: outcomes(conventions.REQUESTS_ENDED),
            SignalName.PENDING_LLM_CALLS: _gauge(conventions.PENDING_LLM_CALLS),
        }
    ),
)

# vLLM counts every end in request_success_total, failed ones with finished_reason="error".
# None of the three engines exports how many requests a replica takes at once.
_VLLM: Final = Exports(
    Naming.POD,
    MappingProxyType(
        {
            SignalName.QUEUE_DEPTH: _gauge("vllm:num_requests_waiting"),
            SignalName.ACTIVE_REQUESTS: _gauge("vllm:num_requests_running"),
            SignalName.LATENCY: _histogram("vllm:e2e_request_latency_seconds"),
            SignalName.WAIT: _histogram("vllm:request_queue_time_seconds"),
            SignalName.COMPLETION_RATE: _counter("vllm:request_success_total"),
            SignalName.ERROR_RATIO: Failures(
                failed=_counter("vllm:request_success_total", 'finished_reason="error"'),
                ended=_counter("vllm:request_success_total"),
            ),
        }
    ),
)

_SGLANG: Final = Exports(
    Naming.POD,
    MappingProxyType(
        {
            SignalName.QUEUE_DEPTH: _gauge("sglang:num_queue_reqs"),
            SignalName.ACTIVE_REQUESTS: _gauge("sglang:num_running_reqs"),
            SignalName.LATENCY: _histogram("sglang:e2e_request_latency_seconds"),
            SignalName.WAIT: _histogram("sglang:queue_time_seconds"),
            SignalName.COMPLETION_RATE: _counter("sglang:num_requests_total"),
            SignalName.ERROR_RATIO: Failures(
                failed=_counter("sglang:num_aborted_requests_total"),
                ended=_counter("sglang:num_requests_total"),
            ),
        }
    ),
)

_TGI: Final = Exports(
    Naming.POD,
    MappingProxyType(
        {
            SignalName.QUEUE_DEPTH: _gauge("tgi_queue_size"),
            SignalName.ACTIVE_REQUESTS: _gauge("tgi_batch_current_size"),
            SignalName.LATENCY: _histogram("tgi_request_duration"),
            SignalName.WAIT: _histogram("tgi_request_queue_duration"),
            SignalName.ARRIVAL_RATE: _counter("tgi_request_count"),
            SignalName.COMPLETION_RATE: _counter("tgi_request_success"),
            SignalName.ERROR_RATIO: Failures(
                failed=_counter("tgi_request_failure"), ended=_counter("tgi_request_count")
            ),
        }
    ),
)

PRESETS: Final[Mapping[Preset, Exports]] = MappingProxyType(
    {
        Preset.AGENTSCALER: _AGENTSCALER,
        Preset.VLLM: _VLLM,
        Preset.SGLANG: _SGLANG,
        Preset.TGI: _TGI,
    }
)
