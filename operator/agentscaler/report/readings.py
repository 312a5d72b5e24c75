"""Readings as people read them: each with its unit, three digits, unknown never as zero."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agentscaler.api.signals import SignalName
from agentscaler.decide import work
from agentscaler.decide.snapshot import Missing, Reading, Snapshot
from agentscaler.quantities import format_percent, format_quantity

_UNITS: Final = {
    "latency": "s",
    "wait": "s",
    "arrivalRate": "/s",
    "completionRate": "/s",
}
_WORDS: Final = {
    "queueDepth": "requests waiting",
    "activeRequests": "requests in service",
    "capacity": "slots in all",
    "latency": "latency",
    "wait": "wait",
    "arrivalRate": "arriving",
    "completionRate": "completed",
    "errorRatio": "of requests failing",
    "pendingLlmCalls": "model calls under way",
}
_PROVIDER: Final = "provider/"
_REFUSED: Final = "of calls refused"
_WHOLE: Final = 100  # from here on decimals say nothing


def of(seen: Snapshot) -> Iterator[tuple[str, Reading]]:
    """Give all readings of a snapshot by the names that the status uses.

    Metrics, gates and providers have a prefix, because users may name them like a signal.
    """
    for signal in seen.signals:
        yield signal.value, work.signal(seen, signal)
    for metric, reading in seen.metrics.items():
        yield f"metric/{metric}", reading
    for gate, reading in seen.gates.items():
        yield f"gate/{gate}", reading
    for provider, reading in seen.providers.items():
        yield f"{_PROVIDER}{provider}", reading


def sort(seen: Snapshot) -> tuple[dict[str, str], dict[str, str]]:
    """Give what was read, as text, and what could not be read, with the reason."""
    known, missing = {}, {}
    for name, reading in of(seen):
        if isinstance(reading, Missing):
            missing[name] = str(reading)
        else:
            known[name] = amount(name, reading)
    return known, missing


def amount(name: str, value: float) -> str:
    """Write a value with the unit of its signal; custom metrics and gates have none."""
    if name == SignalName.ERROR_RATIO or name.startswith(_PROVIDER):
        return format_percent(float(f"{value:.3g}"))
    return _digits(value) + _UNITS.get(name, "")


def pairs(seen: Snapshot) -> str:
    """Write all readings in one line, as `name=value` pairs."""
    return " ".join(
        f"{name}={'unknown' if isinstance(reading, Missing) else amount(name, reading)}"
        for name, reading in of(seen)
    )


def told(signals: Mapping[str, str]) -> str:
    """Say the readings of a status in words: "12 requests waiting, 4.2s latency"."""
    return ", ".join(_say(name, signals[name]) for name in ordered(signals))


def ordered(names: Iterable[str]) -> list[str]:
    """Put signals first, the load before all; the API server keeps maps in the alphabet's order."""
    ranks = {name: rank for rank, name in enumerate(_WORDS)}
    return sorted(names, key=lambda name: (ranks.get(name, len(ranks)), name))


def meaning(name: str) -> str:
    """Say what a reading counts or measures; nothing for metrics and gates of the user's own."""
    return _REFUSED if name.startswith(_PROVIDER) else _WORDS.get(name, "")


def _say(name: str, value: str) -> str:
    if name.startswith(_PROVIDER):
        return f"{value} {_REFUSED} by {name.removeprefix(_PROVIDER)}"
    word = _WORDS.get(name)
    return f"{value} {word}" if word else f"{name} {value}"


def _digits(value: float) -> str:
    """Write three significant digits, or all of a whole number."""
    return format_quantity(rounded(value))


def rounded(value: float) -> float:
    """Round to three significant digits, or to a whole number."""
    return round(value) if value >= _WHOLE else float(f"{value:.3g}")
