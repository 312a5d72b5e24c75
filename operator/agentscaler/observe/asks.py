"""What a policy wants to know, as data: the queries, and whom they are put to.

Pure. Metrics that all agents export are asked once for all of them, whatever the number of
policies; only queries that users wrote are asked one by one (see `unions`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

from agentscaler import conventions, promql
from agentscaler.api.limits import Provider
from agentscaler.api.policy import Policy, PolicySpec
from agentscaler.api.signals import EmptyResult, Preset, Signal, SignalName
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import confinement, expressions, presets
from agentscaler.observe.expressions import FRESH, WINDOW, Grouped, Ratio
from agentscaler.observe.presets import Exported, Failures, Kind, Naming
from agentscaler.observe.tenancy import TRUSTING, Tenancy
from agentscaler.promql import Shape

T = TypeVar("T")
_Name = TypeVar("_Name", bound=str)

_DEMAND: Final = (
    SignalName.QUEUE_DEPTH,
    SignalName.ACTIVE_REQUESTS,
    SignalName.CAPACITY,
    SignalName.WAIT,
    SignalName.ARRIVAL_RATE,
    SignalName.COMPLETION_RATE,
    SignalName.LATENCY,
)
_THRESHOLD: Final = (
    SignalName.QUEUE_DEPTH,
    SignalName.ACTIVE_REQUESTS,
    SignalName.CAPACITY,
    SignalName.LATENCY,
    SignalName.ERROR_RATIO,
)
# A strategy can do without the others: where a server does not export them, none is asked.
_ESSENTIAL: Final = frozenset(
    {
        SignalName.QUEUE_DEPTH,
        SignalName.ACTIVE_REQUESTS,
        SignalName.CAPACITY,
        SignalName.ERROR_RATIO,
    }
)
_FIELDS: Final = {name: name.name.lower() for name in SignalName}


@dataclass(frozen=True, slots=True)
class Custom:
    """A query of a user, as it is asked.

    `shape` is None when only the server can tell what it gives; `sees` are the namespaces that it
    is confined to, none where it is as its author wrote it.
    """

    query: str
    shape: Shape | None = None
    sees: tuple[str, ...] = ()


Source: TypeAlias = Grouped | Ratio | Custom | Missing
"""Where a reading comes from; Missing when there is nothing to ask."""
Question: TypeAlias = Grouped | Custom
"""What is put to a server."""


@dataclass(frozen=True, slots=True)
class Want:
    """One reading of a policy: its source, and what an empty result means."""

    source: Source
    empty: EmptyResult = EmptyResult.UNKNOWN


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask and as whom: an address of None is the operator's own server."""

    address: str | None = None
    secret: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """All that one policy wants to know, ready to be looked up in the answers."""

    server: Server
    agent: tuple[str, str]
    stale_seconds: float
    signals: Mapping[SignalName, Want]
    metrics: Mapping[str, Want]
    gates: Mapping[str, Want]
    providers: Mapping[str, Want] = field(default_factory=dict)

    def sources(self) -> Iterable[Source]:
        """Give the source of every reading."""
        for wants in (self.signals, self.metrics, self.gates, self.providers):
            for want in wants.values():
                yield want.source

    def questions(self) -> tuple[Question, ...]:
        """Give what is to be asked, each question once."""
        asked = (question for source in self.sources() for question in questions_of(source))
        return tuple(dict.fromkeys(asked))


def questions_of(source: Source) -> tuple[Question, ...]:
    """Give what has to be asked for a reading."""
    match source:
        case Ratio():
            return source.part, source.whole
        case Grouped() | Custom():
            return (source,)
        case Missing():
            return ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask one server in one pass."""

    grouped: tuple[Grouped, ...]
    custom: tuple[Custom, ...]


def needed(spec: PolicySpec) -> frozenset[SignalName]:
    """Tell the signals that a policy uses: those of its strategy, and those its author set."""
    used = _used_by(spec.sizing)
    if spec.candidate is not None:
        used += _used_by(spec.candidate.sizing)
    exported = presets.PRESETS[spec.signals.preset].signals
    names = {name for name in used if name in _ESSENTIAL or name in exported}
    names.update(name for name in SignalName if field_of(name) in spec.signals.model_fields_set)
    if spec.signals.capacity.per_replica is not None:
        names.discard(SignalName.CAPACITY)
    return frozenset(names)


def _used_by(sizing: Demand | Threshold | None) -> tuple[SignalName, ...]:
    if isinstance(sizing, Demand):
        return _DEMAND
    return () if sizing is None else _THRESHOLD


def wants_of(policy: Policy, window: timedelta = WINDOW, tenancy: Tenancy = TRUSTING) -> Wants:
    """Work out what a policy wants to know; rates and latencies look back over `window`."""
    spec = policy.spec

    def own(want: Want) -> Want:
        return replace(want, source=confined(want.source, policy.namespace, tenancy))

    patience = max(4 * spec.polling_interval, FRESH)
    return Wants(
        server=server_of(policy),
        agent=agent_of(policy),
        stale_seconds=patience.total_seconds(),
        signals=_mapping((name, own(want_of(spec, name, window))) for name in needed(spec)),
        metrics=_mapping(
            (each.name, own(Want(_custom(each.query), each.empty_result))) for each in spec.metrics
        ),
        gates=_mapping(
            (each.name, own(Want(_custom(each.query), each.empty_result))) for each in spec.gates
        ),
        providers=_mapping(
            (each.name, own(_refusals(each, window))) for each in spec.limits.providers
        ),
    )


def _mapping(wanted: Iterable[tuple[_Name, Want]]) -> Mapping[_Name, Want]:
    """Share one mapping with all policies that want the same, which most do."""
    shared: Mapping[_Name, Want] = _mapping_of(tuple(wanted))
    return shared


@lru_cache(maxsize=1024)
def _mapping_of(wanted: tuple[tuple[Any, Want], ...]) -> Mapping[Any, Want]:
    return dict(wanted)


def confined(source: T, namespace: str, tenancy: Tenancy) -> T | Custom | Missing:
    """Have a query see what the policies of this namespace may see; refuse it where it cannot."""
    sees = tenancy.seen_from(namespace)
    if not isinstance(source, Custom) or not sees:
        return source
    found = _confined(source.query, sees)
    return found if isinstance(found, Missing) else replace(source, query=found, sees=sees)


@lru_cache(maxsize=1024)
def _confined(query: str, sees: tuple[str, ...]) -> str | Missing:
    try:
        return confinement.confine(query, sees)
    except ValueError as exc:
        return Missing(Why.REFUSED, f"the query {exc}")


def plan(wants: Iterable[Wants]) -> dict[Server, Plan]:
    """Gather what to ask each server: every query once, those first that most policies want."""
    found: defaultdict[Server, Counter[Question]] = defaultdict(Counter)
    spaces: defaultdict[Question, set[str]] = defaultdict(set)
    for each in wants:
        questions = each.questions()
        found[each.server].update(questions)
        for question in questions:
            spaces[question].add(each.agent[0])
    return {server: _plan(counted, spaces) for server, counted in found.items()}


def _plan(counted: Counter[Question], spaces: Mapping[Question, Set[str]]) -> Plan:
    """Sort questions; what one namespace alone asks for must not hold up what all ask for.

    A query that names no series is the same in all namespaces: an answer is known by its query.
    """
    grouped = [each for each in counted if isinstance(each, Grouped)]
    grouped.sort(key=lambda each: (len(spaces[each]), counted[each]), reverse=True)
    custom = {each.query: each for each in counted if isinstance(each, Custom)}
    return Plan(tuple(grouped), tuple(custom.values()))


def server_of(policy: Policy) -> Server:
    """Tell whom a policy's metrics are asked of, and which Secret says as whom."""
    source = policy.spec.prometheus
    ref = source.auth_secret_ref
    return Server(
        address=source.server_address and source.server_address.rstrip("/"),
        secret=None if ref is None else (policy.namespace, ref.name),
    )


def agent_of(policy: Policy) -> tuple[str, str]:
    """Tell the namespace and agent whose series are the policy's."""
    return policy.namespace, policy.spec.signals.agent or policy.spec.scale_target_ref.name


def field_of(name: SignalName) -> str:
    """Give the attribute of `Signals` that describes a signal."""
    return _FIELDS[name]


def want_of(spec: PolicySpec, name: SignalName, window: timedelta = WINDOW) -> Want:
    """Work out where one signal of a policy comes from."""
    origin = origin_of(spec, name)
    empty = signal_of(spec, name).empty_result
    if isinstance(origin, Exported | Failures):
        return Want(_shared(origin, presets.PRESETS[spec.signals.preset].naming, window), empty)
    return Want(origin, empty)


def origin_of(spec: PolicySpec, name: SignalName) -> Exported | Failures | Custom | Missing:
    """Tell what a signal is read from: a query, a metric that the policy names, or the preset's."""
    signal = signal_of(spec, name)
    if signal.query is not None:
        return _custom(signal.query)
    exported = presets.PRESETS[spec.signals.preset].signals.get(name)
    if signal.metric is not None:
        exported = _chosen(name, signal.metric)
    if exported is None:
        return _unexported(spec.signals.preset, name)
    if name is SignalName.LATENCY and isinstance(exported, Exported):
        return replace(exported, quantile=spec.signals.latency.quantile)
    return exported


def signal_of(spec: PolicySpec, name: SignalName) -> Signal:
    """Give what a policy says of a signal."""
    signal: Signal = getattr(spec.signals, field_of(name))
    return signal


def writes_queries(spec: PolicySpec) -> bool:
    """Tell whether its author wrote PromQL, which may take long to read."""
    signals = (signal_of(spec, name) for name in SignalName)
    ratios = (each.rate_limited_ratio for each in spec.limits.providers)
    written = any(each.query is not None for each in (*signals, *ratios))
    return written or bool(spec.metrics or spec.gates)


def _refusals(provider: Provider, window: timedelta) -> Want:
    """Ask which share of its calls a provider refuses, of all agents at once by default."""
    signal = provider.rate_limited_ratio
    if signal.query is not None:
        return Want(_custom(signal.query), signal.empty_result)
    exported = presets.refusals(signal.metric or conventions.LLM_RESPONSES, provider.name)
    return Want(_shared(exported, Naming.LABEL, window), signal.empty_result)


def _shared(
    exported: Exported | Failures, naming: presets.Naming, window: timedelta
) -> Grouped | Ratio:
    if isinstance(exported, Exported):
        return expressions.grouped(exported, naming, window)
    return Ratio(
        part=expressions.grouped(exported.failed, naming, window),
        whole=expressions.grouped(exported.ended, naming, window),
    )


def _chosen(name: SignalName, metric: str) -> Exported | Failures:
    """Read a metric that a policy names as what the signal needs it to be."""
    if name in {SignalName.LATENCY, SignalName.WAIT}:
        return Exported(Kind.QUANTILE, metric.removesuffix("_bucket"))
    if name is SignalName.ERROR_RATIO:
        counted = metric.endswith("_total")
        return presets.outcomes(metric) if counted else Exported(Kind.SHARE, metric)
    return Exported(Kind.RATE if metric.endswith("_total") else Kind.GAUGE, metric)


def _unexported(preset: Preset, name: SignalName) -> Missing:
    ways = f"signals.{name.value}.metric or .query"
    if name is SignalName.CAPACITY:
        ways = f"signals.{name.value}.perReplica, .metric or .query"
    return Missing(Why.EMPTY, f"{preset.value} exports no {name.value}: set spec.{ways}")


@lru_cache(maxsize=1024)
def _custom(query: str) -> Custom | Missing:
    try:
        shape = promql.shape_of(query)
    except ValueError:
        return Custom(query)  # the server may know a wider dialect: it decides
    if problem := promql.misfit(shape):
        return Missing(Why.REFUSED, f"the query {problem}")
    return Custom(query, shape)
