"""What in a valid policy will disappoint its author, each with a way out. Pure.

Every function looks for one trap and yields it with the field to change. Nothing here is an error:
the operator follows such a policy to the letter.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from agentscaler.analyze import queries
from agentscaler.api.policy import PolicySpec, PredictionMode
from agentscaler.api.problems import Path, Problem
from agentscaler.api.signals import LatencyMeaning, Preset
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.quantities import format_duration, format_quantity

Found = Iterator[Problem]

# A limit above this can only be meant for whole responses: agents take seconds to minutes.
_SLOW_ANSWER: Final = timedelta(seconds=60)


def slow_model(spec: PolicySpec, _now: datetime) -> Found:
    """Find a latency that includes the model's own time: it is always too high."""
    sizing = spec.sizing
    if not isinstance(sizing, Threshold) or sizing.scale_up.latency > _SLOW_ANSWER:
        return
    if spec.signals.latency.measures is LatencyMeaning.RESPONSE:
        limit = format_duration(sizing.scale_up.latency)
        yield Problem(
            ("spec", "threshold", "scaleUp", "latency"),
            f"latency is the time of whole responses, the model's own included: above {limit} the "
            "fleet stays at its maximum; measure the wait (signals.latency: {metric: "
            "agent_request_wait_seconds, measures: Wait}) or set a limit for whole responses",
        )


def idle_cooldown(spec: PolicySpec, _now: datetime) -> Found:
    """Find a pause that is shorter than the time between two decisions."""
    sizing = spec.sizing
    if sizing is None:
        return
    strategy = "demand" if isinstance(sizing, Demand) else "threshold"
    for name, pace in (("scaleUp", sizing.scale_up), ("scaleDown", sizing.scale_down)):
        if timedelta(0) < pace.cooldown < spec.polling_interval:
            yield Problem(
                ("spec", strategy, name, "cooldown"),
                f"{format_duration(pace.cooldown)} has no effect, for decisions are "
                f"{format_duration(spec.polling_interval)} apart: raise it, or set 0s",
            )


def no_step(spec: PolicySpec, _now: datetime) -> Found:
    """Find a step of no replicas, which switches a direction off."""
    if not isinstance(spec.sizing, Demand):
        return
    up, down = spec.sizing.scale_up.max_step, spec.sizing.scale_down.max_step
    for name, step, verb in (("scaleUp", up, "add"), ("scaleDown", down, "remove")):
        if step.count == 0:
            yield Problem(
                ("spec", "demand", name, "maxStep"),
                f"0 never lets the policy {verb} a replica: set at least 1, or a share like 25%",
            )


def short_sight(spec: PolicySpec, _now: datetime) -> Found:
    """Find a forecast that ends before the next decision, or has not seen a season twice."""
    prediction = spec.prediction
    if prediction.mode is PredictionMode.OFF:
        return
    if prediction.lookahead is not None and prediction.lookahead < spec.polling_interval:
        yield Problem(
            ("spec", "prediction", "lookahead"),
            f"{format_duration(prediction.lookahead)} does not reach the next decision, "
            f"{format_duration(spec.polling_interval)} later: use Auto, or the time that a new "
            "replica needs until it is ready",
        )
    if prediction.history < 2 * prediction.season:
        yield Problem(
            ("spec", "prediction", "history"),
            "less than two seasons tell nothing of what repeats: set at least "
            f"{format_duration(2 * prediction.season)}",
        )


def no_room(spec: PolicySpec, _now: datetime) -> Found:
    """Find equal bounds, which leave nothing to decide."""
    if spec.min_replicas == spec.max_replicas and not spec.schedules:
        yield Problem(
            ("spec", "maxReplicas"),
            f"is the same as minReplicas: {spec.max_replicas} replicas run whatever the load; "
            "raise maxReplicas, or set mode: Paused to leave the count alone",
        )


def unseen_work(spec: PolicySpec, _now: datetime) -> Found:
    """Find a fleet that nothing wakes: with no replica a model server reports nothing."""
    if spec.min_replicas > 0 or spec.signals.preset is Preset.AGENTSCALER or spec.metrics:
        return
    if spec.signals.queue_depth.query is None and spec.signals.queue_depth.metric is None:
        yield Problem(
            ("spec", "minReplicas"),
            f"with no replica {spec.signals.preset} exports nothing, so no request is seen and the "
            "fleet stays at 0: give signals.queueDepth a query of the queue or the gateway in "
            "front, or set minReplicas: 1",
        )


def unknown_capacity(spec: PolicySpec, _now: datetime) -> Found:
    """Find a size that cannot be told: model servers do not export what they take at once."""
    capacity = spec.signals.capacity
    if spec.sizing is None or spec.signals.preset is Preset.AGENTSCALER:
        return
    if (capacity.query, capacity.metric, capacity.per_replica) == (None, None, None):
        yield Problem(
            ("spec", "signals", "preset"),
            f"{spec.signals.preset} exports no capacity, so nothing can be sized: set "
            "signals.capacity.perReplica to the requests one replica serves at once",
        )


def idle_fallback(spec: PolicySpec, _now: datetime) -> Found:
    """Find a fallback outside the bounds, which apply to it too."""
    replicas = spec.fallback.replicas
    if replicas is not None and not spec.min_replicas <= replicas <= spec.max_replicas:
        yield Problem(
            ("spec", "fallback", "replicas"),
            f"{replicas} is cut to the bounds {spec.min_replicas} to {spec.max_replicas}: choose a "
            "number between them",
        )


def odd_queries(spec: PolicySpec, _now: datetime) -> Found:
    """Find a query that is not one number, or no ratio where a percentage is its limit."""
    for path, query in queries_of(spec):
        if queries.may_give_several(query):
            yield Problem(
                path,
                "may give a series per pod, which is not one number: wrap it in sum(...), "
                "max(...) or avg(...)",
            )
    ratios = [
        *(("metrics", i, m.query) for i, m in enumerate(spec.metrics) if m.target.utilization),
        *(("gates", i, gate.query) for i, gate in enumerate(spec.gates)),
    ]
    for part, index, query in ratios:
        if not queries.may_be_ratio(query):
            yield Problem(
                ("spec", part, index, "query"),
                "looks like a count, but a percentage is its limit (90% is 0.9): divide it by its "
                "maximum" + ("" if part == "gates" else ", or use target.perReplica"),
            )


def self_locking_gate(spec: PolicySpec, _now: datetime) -> Found:
    """Find a gate that closes when replicas are needed most: on the number that asks for them."""
    for index, gate in enumerate(spec.gates):
        for metric in spec.metrics:
            if queries.is_same(gate.query, metric.query):
                yield Problem(
                    ("spec", "gates", index, "query"),
                    f"is the query of metric {metric.name}: the gate closes when the metric asks "
                    "for replicas; watch what the replicas strain, such as a database",
                )


def blind_drain(spec: PolicySpec, _now: datetime) -> Found:
    """Find busy pods that are to be protected, but by a query that does not tell pods apart."""
    if not spec.drains or spec.drain is None or spec.signals.active_requests.query is None:
        return
    if spec.drain.active_requests_per_pod.metric is None:
        yield Problem(
            ("spec", "drain", "activeRequestsPerPod", "metric"),
            "nothing is ever removed: signals.activeRequests.query gives one number for all pods; "
            "name a gauge that has a series for each pod",
        )


def idle_limits(spec: PolicySpec, _now: datetime) -> Found:
    """Find limits that bind from the start, never, or on what the operator cannot know."""
    budget = spec.limits.budget
    if budget is not None:
        window = format_duration(budget.window)
        each = budget.window / timedelta(hours=1) * budget.replica_hour_cost
        least, most = spec.min_replicas * each, spec.max_replicas * each
        if least > budget.hard:
            yield Problem(
                ("spec", "limits", "budget", "hard"),
                f"minReplicas alone cost {format_quantity(least)} in {window}: "
                "raise hard, or lower minReplicas",
            )
        elif most <= budget.hard:
            yield Problem(
                ("spec", "limits", "budget", "hard"),
                f"is never reached: maxReplicas cost {format_quantity(most)} in {window}; "
                "lower hard, or leave the budget out",
            )
    if spec.limits.phantom_after < 4 * spec.polling_interval:
        yield Problem(
            ("spec", "limits", "phantomAfter"),
            "a few polls do not tell a slow request from a counter that never falls: set more than "
            "the longest request takes, such as 1h",
        )


def queries_of(spec: PolicySpec) -> Iterator[tuple[Path, str]]:
    """Give every query that the author wrote, with its field."""
    signals = spec.signals
    for name, field in type(signals).model_fields.items():
        query = getattr(getattr(signals, name), "query", None)
        if query is not None:
            yield ("spec", "signals", str(field.alias), "query"), query
    for index, metric in enumerate(spec.metrics):
        yield ("spec", "metrics", index, "query"), metric.query
    for index, gate in enumerate(spec.gates):
        yield ("spec", "gates", index, "query"), gate.query
    for index, provider in enumerate(spec.limits.providers):
        if provider.rate_limited_ratio.query is not None:
            path = ("spec", "limits", "providers", index, "rateLimitedRatio", "query")
            yield path, provider.rate_limited_ratio.query


CHECKS: Final[tuple[Callable[[PolicySpec, datetime], Found], ...]] = (
    slow_model, idle_cooldown, no_step, short_sight, no_room, unseen_work, unknown_capacity,
    idle_fallback, odd_queries, self_locking_gate, blind_drain, idle_limits,
)  # fmt: skip
