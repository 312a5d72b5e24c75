"""One policy at the helm of a fleet that somebody else simulates.

The stable door for simulators: spec and readings go in, decisions come out. It takes a policy
through the passes that the operator would make, with the operator's own parts; only the cluster,
the metrics server and the clock are the caller's. Nothing is estimated or simplified here.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from numbers import Integral, Real
from typing import Final

from numpy.typing import ArrayLike

from agentscaler.api import crd
from agentscaler.api.misfits import misfits, without_nulls
from agentscaler.api.policy import Policy, PolicySpec, PredictionMode, parse_spec
from agentscaler.api.signals import SignalName
from agentscaler.decide import engine, work
from agentscaler.decide.decision import Decision, Direction, Memory, carried_out
from agentscaler.decide.leadtime import LeadTime
from agentscaler.decide.snapshot import Missing, Reading, Replicas, Snapshot, Why
from agentscaler.errors import InvalidPolicyError
from agentscaler.forecast import rows
from agentscaler.forecast.outlook import Outlook
from agentscaler.observe import answers, asks, readings
from agentscaler.observe.asks import Want
from agentscaler.simulate.foresight import Foresight

READINGS: Final = {
    SignalName.QUEUE_DEPTH: "queueDepth",
    SignalName.ACTIVE_REQUESTS: "activeRequests",
    SignalName.CAPACITY: "capacity",
    SignalName.ARRIVAL_RATE: "arrivalRate",
    SignalName.COMPLETION_RATE: "completionRate",
    SignalName.LATENCY: "latencySeconds",
    SignalName.WAIT: "waitSeconds",
    SignalName.ERROR_RATIO: "errorRatio",
    SignalName.PENDING_LLM_CALLS: "pendingLlmCalls",
}
"""The names by which `Pilot.decide` takes the signals."""
RATE_LIMITED: Final = "rateLimitedRatio"

_PLAIN: Final = frozenset({int, float})
_NOT_GIVEN: Final = Missing(Why.EMPTY, "no reading is given")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_END_OF_TIME: Final = datetime(9990, 1, 1, tzinfo=UTC).timestamp()


class Pilot:
    """Decides for one policy, given its `spec` as parsed YAML.

    Raise InvalidPolicyError, a ValueError that names each bad field and the fix, for a spec that
    the API would refuse.

    Two replicas of four slots are full, and four requests wait:

    >>> pilot = Pilot({"scaleTargetRef": {"name": "research"}, "maxReplicas": 20})
    >>> load = {"activeRequests": 8, "queueDepth": 4, "capacity": 8}
    >>> busy = pilot.decide(0.0, load, current=2, ready=2)
    >>> busy.replicas, busy.reason, [step.name for step in busy.steps]
    (4, 'StepLimited', ['demand', 'forecast', 'step'])

    What is not known takes nothing away:

    >>> blind = pilot.decide(600.0, {}, current=4, ready=4)
    >>> blind.replicas, blind.steps[0].reason
    (4, 'DemandIncomplete')

    `mode` and `drain` are for what comes after a decision: Recommend and Paused are decided like
    Auto, and busy pods are not waited for. A
    decision counts as carried out as soon as `current` follows it: cooldowns run from there, and
    the time of a start is learned from `ready`. As in the operator, the first decision removes
    nothing. The same calls give the same decisions, on every machine.
    """

    def __init__(self, spec: Mapping[str, object]) -> None:
        self.policy: Final = _policy(spec)
        # Whoever simulates the pods lets them drain: none is shown to the decision.
        self._spec: Final = self.policy.spec.model_copy(update={"drain": None})
        self._wants: Final = asks.wants_of(self.policy)
        self._names: Final = _names(self.policy)
        self._foresight = _foresight(self.policy.spec)
        self._memory = Memory()
        self._lead_time: Final = LeadTime()
        self._now = _EPOCH
        self._pending: Decision | None = None

    def decide(
        self,
        now: float,
        readings: Mapping[str, float | None],
        *,
        current: int,
        ready: int,
        starting: int = 0,
        rolling_out: bool = False,
    ) -> Decision:
        """Decide as the operator would in a pass at `now`.

        `now` is in seconds, with 0 for the begin of 1970 in UTC (schedules go by it), and never
        goes back; call every `pollingInterval`, or as you like. `readings` go by the values of
        `READINGS`, further ones by `metrics.NAME`, `gates.NAME` and `providers.NAME`, the share of
        calls that a provider of `limits` refuses; `rateLimitedRatio` is that of all of them. None,
        like a name left out, is what Prometheus has no series for; NaN, infinity and negatives are
        unknown too. Only what the policy reads is used. `current` are the replicas asked for,
        `ready` those that serve, `starting` those that do not yet: at least the difference. While
        the target is `rolling_out` none is removed.

        Raise ValueError for an argument that makes no sense, a name that nobody knows, and a `now`
        before the last one.
        """
        moment, replicas = self._moment(now), _replicas(current, ready, starting, rolling_out)
        self._check_names(readings)
        wants = self._wants
        signals = {
            name: _reading(READINGS[name], readings, want) for name, want in wants.signals.items()
        }
        metrics = _named("metrics.", readings, wants.metrics)
        gates = _named("gates.", readings, wants.gates)
        refused = {name: _refused(name, readings, want) for name, want in wants.providers.items()}
        # Whatever is wrong was refused above; from here on things change.
        self._watch(moment, replicas.current, replicas.ready)
        outlook = self._look(moment, work.load(signals))
        seen = Snapshot(
            moment,
            replicas,
            signals,
            metrics,
            gates,
            outlook,
            lead=self._lead_time.value(),
            providers=refused,
        )
        # However seldom it is called, nothing happens that it is not told of: there are no gaps.
        decision = engine.decide(self._spec, seen, replace(self._memory, last=None))
        self._memory, self._pending = decision.memory, decision
        return decision

    def watch(self, now: float, *, current: int, ready: int) -> None:
        """See how many replicas there are, between two decisions: a start is measured to the call.

        Not needed, but the operator watches its targets, and so learns the time of a start more
        exactly than to a polling interval.
        """
        self._watch(self._moment(now), _count("current", current), _count("ready", ready))

    def recall(self, times: ArrayLike, loads: ArrayLike, *, now: float) -> None:
        """Let the forecast begin from a past, as the operator does with that in Prometheus.

        `times` are seconds, ascending, `loads` the requests in service and waiting at these times
        (NaN where unknown). What the forecast saw before is replaced.
        """
        self._now = self._moment(now)
        if self._foresight is not None:
            self._foresight.recall(times, loads, self._now)

    def recall_like(self, other: "Pilot") -> None:
        """Know the past that another pilot recalled; much faster than to work it in again.

        Raise ValueError if the two do not forecast alike: `prediction` and `pollingInterval`.
        """
        ours, theirs = (rows.shape_of(each.policy.spec) for each in (self, other))
        if ours != theirs:
            raise ValueError("the other pilot forecasts in another way: recall the past itself")
        self._now = other._now  # noqa: SLF001 - one of its own kind
        learned = other._foresight  # noqa: SLF001
        self._foresight = learned and learned.copy()

    def _check_names(self, given: Mapping[str, float | None]) -> None:
        if not given.keys() <= self._names:
            unknown = map(str, given.keys() - self._names)
            known = ", ".join(sorted(self._names))
            raise ValueError(f"no reading is called {min(unknown)!r}: use one of {known}")

    def _moment(self, now: float) -> datetime:
        if not (_is_number(now) and 0 <= now < _END_OF_TIME):
            raise ValueError(f"now is {now!r}: give seconds, 0 or more")
        moment = _EPOCH + timedelta(seconds=float(now))
        if moment < self._now:
            raise ValueError(
                f"now is {now:g}, before {self._now.timestamp():g} of the call before: time only "
                "goes on; for another run make another Pilot"
            )
        return moment

    def _watch(self, now: datetime, current: int, ready: int) -> None:
        self._now = now
        self._settle(current)
        self._lead_time.seen(current, ready, now)

    def _look(self, now: datetime, load: float | None) -> Outlook | None:
        if self._foresight is None:
            return None
        return self._foresight.look(now, load, self._lead_time.value())

    def _settle(self, current: int) -> None:
        """Start the clocks of the last decision once the count follows it."""
        last = self._pending
        if last is None or (current - last.current) * (last.replicas - last.current) <= 0:
            return
        self._pending = None
        # Only the clock: an advice given since must not be lost.
        self._memory = carried_out(replace(last, memory=self._memory))
        if last.direction is Direction.UP:
            self._lead_time.asked(last.replicas, last.at)


def _policy(spec: Mapping[str, object]) -> Policy:
    if not isinstance(spec, Mapping):
        raise ValueError(  # noqa: TRY004 - one error for whatever is wrong with a spec
            f"spec is {type(spec).__name__}: give the spec of a policy as a mapping, such as "
            '{"scaleTargetRef": {"name": "agent"}}'
        )
    schema = crd.resource_schema()["properties"]["spec"]
    if found := tuple(map(str, misfits(spec, schema, ("spec",)))):
        raise InvalidPolicyError(found)
    parsed = parse_spec(without_nulls(spec))
    return Policy(
        namespace="default",
        name=parsed.scale_target_ref.name,
        uid="",
        generation=1,
        created=_EPOCH,
        spec=parsed.model_copy(update={"drain": None}),  # which pod goes is the simulator's matter
    )


def _foresight(spec: PolicySpec) -> Foresight | None:
    return None if spec.prediction.mode is PredictionMode.OFF else Foresight(spec)


def _names(policy: Policy) -> frozenset[str]:
    return frozenset(
        (
            *READINGS.values(),
            RATE_LIMITED,
            *(f"metrics.{each.name}" for each in policy.spec.metrics),
            *(f"gates.{each.name}" for each in policy.spec.gates),
            *(f"providers.{each.name}" for each in policy.spec.limits.providers),
        )
    )


def _named(
    prefix: str, given: Mapping[str, float | None], wants: Mapping[str, Want]
) -> dict[str, Reading]:
    return {name: _reading(prefix + name, given, want) for name, want in wants.items()}


def _refused(provider: str, given: Mapping[str, float | None], want: Want) -> Reading:
    own = f"providers.{provider}"
    return _reading(own if own in given else RATE_LIMITED, given, want)


def _reading(name: str, given: Mapping[str, float | None], want: Want) -> Reading:
    if isinstance(want.source, Missing):
        return want.source  # the operator would have nothing to ask
    value = given.get(name)
    if value is None:
        return readings.meant(want, _NOT_GIVEN)
    if not _is_number(value):
        raise ValueError(f"{name} is {value!r}: give a number, or None if it is not known")
    return answers.reading_of(float(value))


def _replicas(current: int, ready: int, starting: int, rolling_out: bool) -> Replicas:
    current, ready = _count("current", current), _count("ready", ready)
    starting = max(_count("starting", starting), current - ready)
    return Replicas(current, ready, starting, rolling_out)


def _count(name: str, value: int) -> int:
    is_whole = type(value) is int or (_is_number(value) and isinstance(value, Integral))
    if not is_whole or value < 0:
        raise ValueError(f"{name} is {value!r}: give a whole number, 0 or more")
    return int(value)


def _is_number(value: object) -> bool:
    """Tell a number of Python or numpy; the plain types first, for asking an ABC is slow."""
    return type(value) in _PLAIN or (isinstance(value, Real) and not isinstance(value, bool))
