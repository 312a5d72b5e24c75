"""OpenTelemetry where it is installed, nothing where it is not; the only file that imports it.

Names follow the semantic conventions for generative AI.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

try:
    from opentelemetry import metrics, trace
except ImportError:  # pragma: no cover - a test imports the kit in a process that lacks it
    metrics = None  # type: ignore[assignment]
    trace = None  # type: ignore[assignment]

SCOPE: Final = "agentscaler.runtime"

TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - tokens of text
OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - tokens of text
ERROR_TYPE: Final = "error.type"

# The bounds that the conventions advise.
_TOKEN_BOUNDS: Final = [4**power for power in range(14)]
_SECOND_BOUNDS: Final = [0.01 * 2**power for power in range(14)]

Attribute = str | bool | int | float


class _Histogram(Protocol):
    def record(self, amount: float, attributes: Mapping[str, Attribute]) -> None: ...


@contextmanager
def span(name: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    """Put the block into a span; its failure marks the span, too."""
    if trace is None:
        yield
        return
    said = {key: value for key, value in attributes.items() if isinstance(value, Attribute)}
    with trace.get_tracer(SCOPE).start_as_current_span(name, attributes=said):
        yield


@dataclass(slots=True)
class GenAiMetrics:
    """What an LLM client reports; silent without OpenTelemetry."""

    _instruments: dict[str, _Histogram] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the instruments."""
        if metrics is None:
            return
        meter = metrics.get_meter(SCOPE)
        for name, unit, bounds in (
            (TOKEN_USAGE, "{token}", _TOKEN_BOUNDS),
            (OPERATION_DURATION, "s", _SECOND_BOUNDS),
        ):
            self._instruments[name] = meter.create_histogram(
                name, unit=unit, explicit_bucket_boundaries_advisory=bounds
            )

    def record(self, name: str, amount: float, attributes: Mapping[str, Attribute]) -> None:
        """Record one measurement of the instrument `name`."""
        instrument = self._instruments.get(name)
        if instrument is not None:
            instrument.record(amount, attributes)
