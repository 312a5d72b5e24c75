"""Name what holds an agent back, and whether replicas would help at all. Pure.

What is looked for comes in an order: who refuses the calls, then which replicas are missing, then
what those that are there wait for. What to do about it is `recommendations`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agentscaler.api.status import Bottleneck
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.quantities import format_percent, format_quantity

MEAN_ABOVE: Final = 0.8
PEAK_ABOVE: Final = 0.95
REFUSED_ABOVE: Final = 0.05  # of a provider's calls; the default of spec.limits.providers
FEWEST_CALLS: Final = 20  # below, one refusal alone would be 5 % of them and more
BUSY_ABOVE: Final = 0.8  # of the slots: from here on requests wait for one another
TAIL_OVER_MEAN: Final = 2.0
HIGH_ABOVE_SECONDS: Final = 1.0
WORST: Final = 3


class Severity(StrEnum):
    """How soon somebody should look."""

    HIGH = "high"
    MEDIUM = "medium"


class Help(StrEnum):
    """Whether more replicas would help."""

    YES = "Yes"
    NO = "No"
    WAIT = "Wait"
    NOT_NEEDED = "NotNeeded"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """How long a named operation takes, in seconds."""

    name: str
    mean: float
    p90: float


@dataclass(frozen=True, slots=True)
class Usage:
    """A resource of the containers as a share of its limit: the mean and the highest."""

    name: str
    mean: float
    peak: float


_NOT_LOOKED: Final = Missing(Why.EMPTY, "nobody looked at the pods")


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of one agent at one moment.

    `overdue` tells that replicas had the time to start and are still not ready, `at_maximum` that
    the policy may not ask for more. `slow_above` is the latency, in seconds, that is too much;
    `refused` the share of its calls that each provider refuses for its limits, of so many `calls`
    lately. `unscheduled` counts the pods that no node takes; it is read where replicas are stuck.
    """

    queued: Reading
    active: Reading
    capacity: Reading
    latency: Reading
    slow_above: float
    current: int = 0
    ready: int = 0
    overdue: bool = False
    at_maximum: bool = False
    refused: Mapping[str, float] = field(default_factory=dict)
    calls: Mapping[str, float] = field(default_factory=dict)
    unscheduled: Reading = _NOT_LOOKED
    operations: tuple[Operation, ...] = ()
    usages: tuple[Usage, ...] = ()

    @property
    def is_stuck(self) -> bool:
        """Tell that replicas are not ready although they had the time to start."""
        return self.overdue and self.current > self.ready


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is worth a look by itself: a resource or an operation."""

    subject: Usage | Operation
    severity: Severity
    sentence: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict, whether replicas would help, both in a sentence, and what else was found.

    `subject` names the provider, resource or operation that the verdict is about.
    """

    verdict: Bottleneck
    help: Help
    sentence: str
    subject: str = ""
    findings: tuple[Finding, ...] = ()


def diagnose(seen: Situation) -> Diagnosis:
    """Name the bottleneck: the first of the causes that holds."""
    findings = (*strained(seen.usages), *tails(seen.operations))
    verdict, helping, sentence, subject = (
        _refusing(seen)
        or _missing_replicas(seen)
        or _blind(seen)
        or _busy(seen)
        or _slow(seen)
        or _uneven(seen)
        or (Bottleneck.NONE, Help.NOT_NEEDED, "nothing holds the agent back", "")
    )
    return Diagnosis(verdict, helping, sentence, subject, findings)


def strained(usages: tuple[Usage, ...]) -> tuple[Finding, ...]:
    """Find resources that are used up: all the time (high), or now and then (medium)."""
    found = []
    for usage in usages:
        if usage.mean > MEAN_ABOVE:
            said = f"{usage.name} is used to {format_percent(usage.mean)} of its limit on average"
            found.append(Finding(usage, Severity.HIGH, said))
        elif usage.peak > PEAK_ABOVE:
            said = f"{usage.name} reached {format_percent(usage.peak)} of its limit"
            found.append(Finding(usage, Severity.MEDIUM, said))
    return tuple(found)


def tails(operations: tuple[Operation, ...]) -> tuple[Finding, ...]:
    """Find the worst operations whose slow runs are far from their usual ones, slowest first."""
    suspects = [each for each in operations if each.p90 > TAIL_OVER_MEAN * each.mean]
    suspects.sort(key=lambda each: (-each.p90, each.name))
    return tuple(
        Finding(
            each,
            Severity.HIGH if each.p90 > HIGH_ABOVE_SECONDS else Severity.MEDIUM,
            f"{each.name} takes {_seconds(each.mean)} on average, "
            f"but one in ten more than {_seconds(each.p90)}",
        )
        for each in suspects[:WORST]
    )


_Cause = tuple[Bottleneck, Help, str, str]


def _refusing(seen: Situation) -> _Cause | None:
    """Blame a provider: work that waits for it would wait in more replicas just as well."""
    refusing = {
        name: share
        for name, share in seen.refused.items()
        if share >= REFUSED_ABOVE and seen.calls.get(name, FEWEST_CALLS) >= FEWEST_CALLS
    }
    if not refusing:
        return None
    provider = max(refusing, key=lambda name: (refusing[name], name))
    said = (
        f"{provider} refuses {format_percent(seen.refused[provider])} of the calls for its limits"
        f"{_while_waiting(seen)}: more replicas would only be refused as well"
    )
    return Bottleneck.PROVIDER_LIMIT, Help.NO, said, provider


def _missing_replicas(seen: Situation) -> _Cause | None:
    unready = seen.current - seen.ready
    if unready <= 0:
        return None
    lacking = f"{unready} of {seen.current} replicas asked for"
    if seen.is_stuck:
        return _stuck(seen, lacking)
    said = f"{lacking} are starting{_while_waiting(seen)}: wait for them"
    return Bottleneck.REPLICAS_STARTING, Help.WAIT, said, ""


def _stuck(seen: Situation, lacking: str) -> _Cause:
    """Tell a full cluster from pods that have a node and do not start."""
    if isinstance(seen.unscheduled, Missing):
        said = f"{lacking} stay unready: no node takes them, or they cannot start"
        return Bottleneck.REPLICAS_UNREADY, Help.NO, f"{said} ({seen.unscheduled})", ""
    if seen.unscheduled:
        said = f"{lacking} stay unready: no node takes {format_quantity(seen.unscheduled)} of them"
        return Bottleneck.CLUSTER_FULL, Help.NO, said, ""
    said = f"{lacking} stay unready although nodes took them: they do not start"
    return Bottleneck.REPLICAS_UNREADY, Help.NO, said, ""


def _blind(seen: Situation) -> _Cause | None:
    """Admit that without the load nothing can be said of replicas."""
    needed = {"queue": seen.queued, "load": seen.active, "capacity": seen.capacity}
    for name, reading in needed.items():
        if isinstance(reading, Missing):
            return Bottleneck.UNKNOWN, Help.UNKNOWN, f"the {name} is not known: {reading}", ""
    return None


def _busy(seen: Situation) -> _Cause | None:
    share = _share_busy(seen)
    if share <= BUSY_ABOVE:
        return None
    taken = f"{format_percent(share)} of the slots are busy{_while_waiting(seen)}"
    if any(usage.mean > MEAN_ABOVE for usage in seen.usages):
        worst = max(seen.usages, key=lambda usage: usage.mean)
        said = (
            f"{taken}, and {worst.name} is used to {format_percent(worst.mean)} of its limit: more "
            "replicas share the load"
        )
        return Bottleneck.COMPUTE, Help.YES, said, worst.name
    said = f"{taken} and all replicas are ready: more replicas take up the work"
    return Bottleneck.REPLICAS, Help.YES, said, ""


def _slow(seen: Situation) -> _Cause | None:
    if isinstance(seen.latency, Missing) or seen.latency <= seen.slow_above:
        return None
    slowest = max(seen.operations, key=lambda each: each.mean, default=None)
    blamed = f"{slowest.name} is slowest" if slowest else "the model or a tool is slow"
    said = (
        f"requests take {_seconds(seen.latency)} although slots are free: {blamed}, and more "
        "replicas would not make it faster"
    )
    return Bottleneck.SLOW_OPERATION, Help.NO, said, slowest.name if slowest else ""


def _uneven(seen: Situation) -> _Cause | None:
    if not _number(seen.queued):
        return None
    said = (
        f"slots are free{_while_waiting(seen)}: the work is not spread over all replicas, and more "
        "of them would not change that"
    )
    return Bottleneck.UNEVEN_LOAD, Help.NO, said, ""


def _share_busy(seen: Situation) -> float:
    """Give the share of slots that are taken; without any, whatever there is has none."""
    active, capacity = _number(seen.active), _number(seen.capacity)
    if capacity > 0:
        return active / capacity
    return 1.0 if active + _number(seen.queued) > 0 else 0.0


def _number(reading: Reading) -> float:
    return 0.0 if isinstance(reading, Missing) else reading


def _while_waiting(seen: Situation) -> str:
    waiting = _number(seen.queued)
    return f" while {format_quantity(waiting)} requests wait" if waiting else ""


def _seconds(value: float) -> str:
    return f"{value:.3g}s"
