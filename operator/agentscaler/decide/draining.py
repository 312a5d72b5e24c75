"""Which pods go when a fleet shrinks, and how many may go now: those that are idle.

Every pod is busy until it is known to be idle. One that was chosen to go and stays busy may stay
for `drain.maxWait`; then it goes all the same, and the decision says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Final, TypeAlias

from agentscaler.api.draining import Drain
from agentscaler.api.policy import PolicySpec
from agentscaler.decide.decision import Decision, Memory, Step
from agentscaler.decide.snapshot import Missing, Pod, Snapshot, Why
from agentscaler.quantities import format_duration, format_time

FORCED: Final = "DrainForced"
UNKNOWN: Final = "PodsUnknown"
_STAGE: Final = "drain"
_OFF: Final = Drain()
_NOT_LOOKED: Final = Missing(Why.EMPTY, "not looked at")
# A pod that was taken out of service gets no new request once proxies have heard of it.
_SETTLED: Final = timedelta(seconds=2)

_Ranked: TypeAlias = tuple[int, Pod]
"""A pod goes when the count is its rank or less."""


@dataclass(frozen=True, slots=True)
class Retreat:
    """The pods that a step down is about: some may leave now, some are waited for.

    `forced` are those among the leaving that are not known to be idle; `spared` were to go before
    and may stay after all.
    """

    replicas: int
    leaving: tuple[Pod, ...] = ()
    waiting: tuple[Pod, ...] = ()
    forced: tuple[Pod, ...] = ()
    spared: tuple[Pod, ...] = ()

    @property
    def chosen(self) -> tuple[Pod, ...]:
        """Give all pods that are to go."""
        return self.leaving + self.waiting


def protect(wanted: int, policy: PolicySpec, seen: Snapshot, _memory: Memory) -> Step | None:
    """Remove no pod that is busy, or not known to be idle, before its deadline."""
    current = seen.replicas.current
    if wanted >= current or not policy.drains:
        return None
    pods = _pods_of(policy, seen)
    if isinstance(pods, Missing):
        said = f"nothing is removed: what the pods serve is unknown ({pods})"
        return Step(_STAGE, wanted, current, UNKNOWN, said, hint=f"would be {wanted} if idle")
    retreat = _plan(policy, seen, wanted, pods)
    if retreat.forced:
        return _forced(policy, wanted, retreat)
    if not retreat.waiting:
        return Step(_STAGE, wanted, retreat.replicas, "Drained", _say_idle(retreat.leaving))
    return _limited(policy, wanted, retreat, seen)


def looks(decision: Decision) -> bool:
    """Tell whether the pods have a say in this decision."""
    return any(step.name == _STAGE for step in decision.steps)


def retreat_of(policy: PolicySpec, seen: Snapshot, decision: Decision) -> Retreat | None:
    """Give the pods that a decision is about; None when it removes none, or knows none."""
    wanted = next((step.before for step in decision.steps if step.name == _STAGE), None)
    pods = _pods_of(policy, seen)
    if wanted is None or isinstance(pods, Missing):
        return None
    return _plan(policy, seen, wanted, pods)


def bound_to_go(pods: Sequence[Pod], asked: int, first: int | None) -> tuple[Pod, ...]:
    """Give the chosen pods that their controller, `asked` for so many, is yet to remove.

    Of pods that are numbered from a `first` on, those beyond the count. Of others any that was told
    to go: were it let stay now, a busy one would be removed in its place.
    """
    if first is not None:
        return tuple(pod for pod in pods if pod.is_chosen and _number(pod) >= first + asked)
    return tuple(pod for pod in pods if pod.stamped) if len(pods) > asked else ()


def _pods_of(policy: PolicySpec, seen: Snapshot) -> tuple[Pod, ...] | Missing:
    """Give the pods, if they are just those of the target.

    Too few are as good as none, for those left out may be busy. Of too many, some may be others',
    which no count of the target removes. A StatefulSet counts as ready what is about to end, too.
    """
    if seen.pods is None:
        return _NOT_LOOKED
    if isinstance(seen.pods, Missing):
        return seen.pods
    listed, replicas = len(seen.pods), seen.replicas
    if listed < min(replicas.ready, replicas.current):
        said = f"{replicas.ready} are ready, but {listed} are listed"
        return Missing(Why.AMBIGUOUS, said)
    if listed > replicas.current:
        said = f"{listed} are listed, but {replicas.current} asked for: some are yet to go, or are "
        said += "another workload's, and the target needs a selector of its own"
        return Missing(Why.AMBIGUOUS, said)
    beyond = replicas.first_number + replicas.current
    if policy.scale_target_ref.is_numbered and any(_number(pod) >= beyond for pod in seen.pods):
        return Missing(Why.AMBIGUOUS, f"a pod numbered {beyond} or higher is yet to go")
    return _unless_dark(seen.pods)


def _unless_dark(pods: tuple[Pod, ...]) -> tuple[Pod, ...] | Missing:
    """Give the pods, if one at least has a reading: a metric by a wrong name has none of any."""
    readings = [pod.in_flight for pod in pods if pod.started]
    lacks = [each for each in readings if isinstance(each, Missing)]
    if not readings or len(lacks) < len(readings):
        return pods
    said = f"no pod has a reading, the first for {lacks[0]}: is the metric's name right, and does "
    return Missing(lacks[0].why, said + "it carry the label pod?")


def _plan(policy: PolicySpec, seen: Snapshot, wanted: int, pods: tuple[Pod, ...]) -> Retreat:
    overdue = seen.now - (policy.drain or _OFF).max_wait
    if policy.scale_target_ref.is_numbered:
        ranked = _by_number(seen.replicas.first_number, pods)
    else:
        ranked = _by_preference(overdue, pods)
    kept = (rank for rank, pod in ranked if not (_is_idle(pod) or _is_due(pod, overdue)))
    replicas = max(wanted, 1 + max(kept, default=-1))
    leaving = tuple(pod for rank, pod in ranked if rank >= replicas)
    return Retreat(
        replicas=replicas,
        leaving=leaving,
        waiting=tuple(pod for rank, pod in ranked if wanted <= rank < replicas),
        forced=tuple(pod for pod in leaving if not _is_idle(pod)),
        spared=tuple(pod for rank, pod in ranked if rank < wanted and pod.is_chosen),
    )


def _by_number(first: int, pods: Iterable[Pod]) -> list[_Ranked]:
    """Rank the pods of a StatefulSet by their numbers, also where one below is missing."""
    return sorted(((_number(pod) - first, pod) for pod in pods), key=lambda each: -each[0])


def _by_preference(overdue: datetime, pods: Iterable[Pod]) -> list[_Ranked]:
    """Rank the pods as a ReplicaSet removes them, once it was told which to prefer.

    Counted from the pods there are: some may not be created yet.
    """

    def order(pod: Pod) -> tuple[bool, bool, bool, bool, datetime, float, str]:
        since = pod.draining_since or datetime.max.replace(tzinfo=overdue.tzinfo)
        # What is not started or not ready goes first, whatever anybody prefers.
        law = (pod.started, pod.ready)
        return (*law, not _is_idle(pod), not _is_due(pod, overdue), since, _load(pod), pod.name)

    return list(enumerate(sorted(pods, key=order, reverse=True)))[::-1]


def _number(pod: Pod) -> int:
    """Tell the number of a pod; one without any, which is another workload's, is never beyond."""
    last = pod.name.rpartition("-")[2]
    return int(last) if last.isdecimal() else -1


def _load(pod: Pod) -> float:
    return inf if isinstance(pod.in_flight, Missing) else pod.in_flight


def _is_idle(pod: Pod) -> bool:
    """Tell whether a pod is known to serve nothing, and to get nothing any more if it can be told.

    A detachable pod counts only by what was sampled after it had been taken out of service.
    """
    if not pod.started:
        return True
    if isinstance(pod.in_flight, Missing) or pod.in_flight > 0:
        return False
    if not pod.detachable:
        return True
    since, sampled = pod.draining_since, pod.sampled
    return since is not None and sampled is not None and sampled >= since + _SETTLED


def _is_due(pod: Pod, overdue: datetime) -> bool:
    return pod.draining_since is not None and pod.draining_since <= overdue


def _limited(policy: PolicySpec, wanted: int, retreat: Retreat, seen: Snapshot) -> Step:
    busy = tuple(pod for pod in retreat.waiting if not _is_idle(pod))
    verb = "is" if len(busy) == 1 else "are"
    chosen = _count(len(retreat.chosen), "pod")
    said = f"of {chosen} to go {len(busy)} {verb} not idle yet ({_say_work(busy)})"
    deadline = (busy[0].draining_since or seen.now) + (policy.drain or _OFF).max_wait
    hint = f"would be {wanted} once idle, and is forced from {format_time(deadline)} on"
    return Step(_STAGE, wanted, retreat.replicas, "Draining", said, hint=hint)


def _forced(policy: PolicySpec, wanted: int, retreat: Retreat) -> Step:
    waited = format_duration((policy.drain or _OFF).max_wait)
    gone = _count(len(retreat.forced), "pod")
    said = f"{gone} removed after {waited}, not idle yet ({_say_work(retreat.forced)})"
    hint = "a longer drain.maxWait waits longer"
    return Step(_STAGE, wanted, retreat.replicas, FORCED, said, hint=hint, forced=True)


def _say_idle(leaving: tuple[Pod, ...]) -> str:
    if any(pod.started and not pod.detachable for pod in leaving):
        return "the pods that go were idle when last seen, and are still in service"
    return "the pods that go are idle and out of service"


def _say_work(pods: Iterable[Pod]) -> str:
    known = sum(pod.in_flight for pod in pods if not isinstance(pod.in_flight, Missing))
    unknown = sum(isinstance(pod.in_flight, Missing) for pod in pods)
    if not known and not unknown:
        return "just taken out of service"
    parts = [f"{_count(known, 'request')} in flight"] if known else []
    if unknown:
        parts.append(f"{_count(unknown, 'pod')} without a reading")
    return ", ".join(parts)


def _count(number: float, thing: str) -> str:
    return f"{number:.4g} {thing}{'' if number == 1 else 's'}"
