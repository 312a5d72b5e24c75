"""The few settings of a policy that decide its cost and its service, and values worth trying."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from agentscaler.api.policy import PolicySpec
from agentscaler.api.strategies import Threshold


class Knob(NamedTuple):
    """A field of the spec by its path, and the values to try."""

    path: tuple[str, ...]
    values: tuple[str | int, ...]


_DEMAND: Final = (
    Knob(("demand", "targetUtilization"), ("60%", "70%", "80%", "90%", "100%")),
    Knob(("demand", "scaleDown", "cooldown"), ("60s", "2m", "5m", "10m", "15m")),
    Knob(("demand", "wait", "attainment"), ("90%", "95%", "99%", "99.7%")),
    Knob(("demand", "drainBacklogWithin"), ("15s", "30s", "60s", "2m")),
    Knob(("demand", "scaleDown", "maxStep"), ("10%", "25%", "50%")),
)
_THRESHOLD: Final = (
    Knob(("threshold", "scaleUp", "utilization"), ("60%", "70%", "80%", "90%")),
    Knob(("threshold", "scaleDown", "utilization"), ("20%", "30%", "45%", "60%")),
    Knob(("threshold", "scaleUp", "cooldown"), ("15s", "30s", "60s")),
    Knob(("threshold", "scaleUp", "step"), (1, 2, 4)),
    Knob(("threshold", "scaleDown", "cooldown"), ("60s", "2m", "5m", "10m")),
)
_FORECAST: Final = (
    Knob(("prediction", "quantile"), ("50%", "75%", "90%", "95%")),
    Knob(("prediction", "mode"), ("Act", "Observe")),
)


def knobs_of(spec: PolicySpec) -> tuple[Knob, ...]:
    """Give the knobs of a policy's strategy."""
    return (*(_THRESHOLD if isinstance(spec.sizing, Threshold) else _DEMAND), *_FORECAST)


def turned(spec: Mapping[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Give the spec with one field set."""
    name, *inner = path
    part = turned(spec.get(name) or {}, tuple(inner), value) if inner else value
    return {**spec, name: part}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is new or other in `after`, as a patch."""
    found: dict[str, Any] = {}
    for name, part in after.items():
        was = before.get(name)
        if isinstance(part, Mapping):
            if inner := changes(was if isinstance(was, Mapping) else {}, part):
                found[name] = inner
        elif part != was:
            found[name] = part
    return found


def settings(patch: Mapping[str, Any]) -> Iterator[str]:
    """Write the fields of a patch as "wait.attainment 95%", each without the part it is in."""
    for part in patch.values():
        yield from _fields(part, "")


def _fields(patch: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, part in patch.items():
        if isinstance(part, Mapping):
            yield from _fields(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name} {part}"
