"""The status that follows from a decision, a pause, or an obstacle."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentscaler.api.policy import Mode
from agentscaler.api.signals import SignalName
from agentscaler.api.status import ConditionType, Outcome, PolicyStatus, Reason
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Replicas, Why
from agentscaler.report import composing, conditions, history, readings, troubles
from agentscaler.report.outlines import Facts
from tests.unit.report.scenes import (
    BUSY,
    FACTS,
    IDLE,
    LOOKED,
    MINUTE,
    NOON,
    SECOND,
    TARGET,
    decided,
    outlook,
    policy,
    seen,
)

NEW = PolicyStatus()


def of(status: PolicyStatus, about: ConditionType) -> tuple[str, str]:
    condition = conditions.find(status.conditions, about)
    assert condition is not None
    return condition.status.value, condition.reason


def test_status_tells_counts_readings_and_decision() -> None:
    snapshot = seen(ready=3, outlook=outlook())
    decision = decided(policy(), snapshot)
    status = composing.decided(NEW, policy(), snapshot, decision, FACTS)
    assert (status.current_replicas, status.ready_replicas) == (4, 3)
    assert status.desired_replicas == decision.replicas
    assert status.signals == {
        "queueDepth": "12",
        "activeRequests": "16",
        "capacity": "16",
        "latency": "4.24s",
        "errorRatio": "0.4%",
    }
    assert (status.reason, status.message) == (decision.reason, decision.message)
    assert (status.target, status.lead_time, status.mode) == (TARGET, "42s", "Auto")
    assert status.decision is not None
    assert [step.name for step in status.decision.steps] == [step.name for step in decision.steps]
    assert status.forecast is not None
    assert (status.forecast.expected, status.forecast.lookahead) == ("18.3", "42s")


def test_status_keeps_what_was_learned_when_nothing_new_is_known() -> None:
    old = PolicyStatus(lead_time="42s", slots_per_replica="4")
    blind = seen({SignalName.QUEUE_DEPTH: 0.0, SignalName.ACTIVE_REQUESTS: 0.0})
    status = composing.decided(old, policy(), blind, decided(policy(), blind), Facts(TARGET))
    assert (status.lead_time, status.slots_per_replica) == ("42s", "4")


def test_decision_stands_since_it_was_first_taken() -> None:
    first = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    again = seen({**BUSY, SignalName.QUEUE_DEPTH: 13.0}, at=NOON + MINUTE)
    second = composing.decided(first, policy(), again, decided(policy(), again), FACTS)
    calm = seen(IDLE, at=NOON + 2 * MINUTE)
    third = composing.decided(second, policy(), calm, decided(policy(), calm), FACTS)
    assert second.decision is not None
    assert third.decision is not None
    assert (second.decision.since, third.decision.since) == (NOON, NOON + 2 * MINUTE)


def test_scaling_is_recorded_as_pending_before_it_is_carried_out() -> None:
    decision = decided(policy(), seen())
    status = composing.decided(NEW, policy(), seen(), decision, FACTS)
    (event,) = status.history
    assert (event.from_, event.to) == (4, decision.replicas)
    assert event.outcome is Outcome.PENDING
    assert event.signals == (
        "queueDepth=12 activeRequests=16 capacity=16 latency=4.24s errorRatio=0.4%"
    )


def test_scaling_that_is_tried_again_stays_one_event() -> None:
    first = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    failed = composing.ended(first, first.history[0], Outcome.FAILED, failure="forbidden")
    later = seen(at=NOON + MINUTE)
    second = composing.decided(failed, policy(), later, decided(policy(), later), FACTS)
    [again] = second.history
    assert (again.id, again.outcome) == (first.history[0].id, Outcome.PENDING)
    assert (again.time, again.failure) == (later.now, "")
    assert history.attempt(second.history, decided(policy(), later)) == again


def test_scaling_that_is_found_to_have_landed_is_applied() -> None:
    first = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    later = seen(replicas=first.history[0].to, at=NOON + MINUTE)
    facts = replace(FACTS, landed=first.history[0])
    second = composing.decided(first, policy(), later, decided(policy(), later), facts)
    assert second.history[-1].outcome is Outcome.APPLIED
    assert second.last_scale_up_time == NOON + SECOND


def test_scaling_is_overtaken_when_it_is_no_longer_wanted() -> None:
    broad = policy(minReplicas=4)
    first = composing.decided(NEW, broad, seen(), decided(broad, seen()), FACTS)
    calm = seen(IDLE, at=NOON + MINUTE)
    second = composing.decided(first, broad, calm, decided(broad, calm), FACTS)
    assert [event.outcome for event in second.history] == [Outcome.FAILED]
    assert second.history[0].failure == "overtaken by a newer decision"


def test_carried_out_scaling_starts_the_clock_of_its_direction() -> None:
    first = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    applied = composing.ended(first, first.history[0], Outcome.APPLIED)
    assert applied.current_replicas == first.desired_replicas
    assert (applied.last_scale_up_time, applied.last_scale_down_time) == (NOON + SECOND, None)


def test_failed_scaling_starts_no_clock() -> None:
    first = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    failed = composing.ended(first, first.history[0], Outcome.FAILED, failure="forbidden")
    assert (failed.current_replicas, failed.last_scale_up_time) == (4, None)
    assert failed.history[0].failure == "forbidden"


def test_last_scaling_is_rounded_up_so_that_its_cooldown_never_ends_early() -> None:
    memory = replace(LOOKED, last_down=NOON - MINUTE + timedelta(microseconds=1))
    status = composing.decided(NEW, policy(), seen(), decided(policy(), seen(), memory), FACTS)
    assert status.last_scale_down_time == NOON - MINUTE + SECOND


def test_recommendation_is_recorded_once_while_it_stands() -> None:
    advising = policy(mode="Recommend")
    first = composing.decided(NEW, advising, seen(), decided(advising, seen()), FACTS)
    later = seen(at=NOON + MINUTE)
    second = composing.decided(first, advising, later, decided(advising, later), FACTS)
    assert [event.outcome for event in second.history] == [Outcome.RECOMMENDED]
    assert history.attempt(second.history, decided(advising, later)) is None
    assert of(second, ConditionType.SCALING_ACTIVE) == ("False", Reason.RECOMMENDING)
    assert second.reason == decided(advising, later).reason


def test_history_keeps_no_more_than_its_limit() -> None:
    short = policy(historyLimit=1)
    first = composing.decided(NEW, short, seen(), decided(short, seen()), FACTS)
    later = seen(replicas=first.history[0].to, at=NOON + MINUTE)
    second = composing.decided(first, short, later, decided(short, later), FACTS)
    assert len(second.history) == 1
    assert second.history[0].time == NOON + MINUTE


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (Why.EMPTY, Reason.METRICS_MISSING),
        (Why.STALE, Reason.METRICS_MISSING),
        (Why.NOT_A_NUMBER, Reason.METRICS_MISSING),
        (Why.AMBIGUOUS, Reason.METRICS_MISSING),
        (Why.REFUSED, Reason.QUERY_REFUSED),
        (Why.UNAVAILABLE, Reason.SOURCE_UNAVAILABLE),
        (Why.TIMEOUT, Reason.SOURCE_UNAVAILABLE),
    ],
)
def test_unknown_reading_is_told_with_its_cure(why: Why, reason: str) -> None:
    blind = seen({**BUSY, SignalName.QUEUE_DEPTH: Missing(why, "no luck")})
    status = composing.decided(NEW, policy(), blind, decided(policy(), blind), FACTS)
    assert of(status, ConditionType.METRICS_AVAILABLE) == ("False", reason)
    assert (status.reason, status.missing) == (reason, {"queueDepth": "no luck"})
    assert status.message.startswith("queueDepth (no luck) is unknown: ")
    assert status.message.endswith("Nothing is removed meanwhile.")


def test_static_fallback_is_what_is_kept_meanwhile() -> None:
    fixed = policy(fallback={"behavior": "Static", "replicas": 2, "afterFailures": 1})
    blind = seen({**BUSY, SignalName.QUEUE_DEPTH: Missing(Why.EMPTY, "no luck")})
    status = composing.decided(NEW, fixed, blind, decided(fixed, blind), FACTS)
    [said] = [each for each in status.conditions if each.type == ConditionType.METRICS_AVAILABLE]
    assert said.message.endswith("The target has its 2 replicas of fallback meanwhile.")


def test_unneeded_reading_that_is_unknown_is_no_trouble() -> None:
    slow = seen({**BUSY, SignalName.LATENCY: Missing(Why.NOT_A_NUMBER)})
    status = composing.decided(NEW, policy(), slow, decided(policy(), slow), FACTS)
    assert of(status, ConditionType.METRICS_AVAILABLE) == ("True", Reason.METRICS_FOUND)
    assert status.missing == {"latency": "NotANumber"}


def test_partial_answers_count_as_missing_metrics() -> None:
    partial = seen(partial="store-2 timed out")
    status = composing.decided(NEW, policy(), partial, decided(policy(), partial), FACTS)
    assert of(status, ConditionType.METRICS_AVAILABLE) == ("False", Reason.METRICS_MISSING)
    assert "store-2 timed out" in status.message


def test_gate_that_cannot_be_read_is_told_to_be_open() -> None:
    gated = policy(gates=[{"name": "database", "query": "x", "above": "90%"}])
    blind = seen(gates={"database": Missing(Why.EMPTY, "no series")})
    status = composing.decided(NEW, gated, blind, decided(gated, blind), FACTS)
    assert of(status, ConditionType.METRICS_AVAILABLE) == ("False", Reason.METRICS_MISSING)
    assert status.missing == {"gate/database": "no series"}
    assert status.message.endswith("It counts as open meanwhile.")


@pytest.mark.parametrize("gated", [False, True], ids=["alone", "with a gate"])
def test_provider_that_cannot_be_read_is_told_to_keep_its_ceiling(gated: bool) -> None:
    gates = [{"name": "database", "query": "x", "above": "90%"}] if gated else []
    spec = policy(gates=gates, limits={"providers": [{"name": "openai"}]})
    lost = Missing(Why.EMPTY, "no series")
    blind = seen(gates={"database": lost} if gated else {})
    blind = replace(blind, providers={"openai": lost})
    status = composing.decided(NEW, spec, blind, decided(spec, blind), FACTS)
    assert status.missing["provider/openai"] == "no series"
    open_too = "It counts as open meanwhile. " if gated else ""
    assert status.message.endswith(f"{open_too}Its ceiling stays as it is meanwhile.")


def test_provider_that_refuses_is_told_with_its_share_and_cure() -> None:
    spec = policy(limits={"providers": [{"name": "openai"}]})
    snapshot = replace(seen(), providers={"openai": 0.125})
    status = composing.decided(NEW, spec, snapshot, decided(spec, snapshot), FACTS)
    assert of(status, ConditionType.SCALING_LIMITED) == ("True", "ProviderLimited")
    assert status.signals["provider/openai"] == "12.5%"
    assert "12.5% of calls refused by openai" in readings.told(status.signals)
    assert readings.meaning("provider/openai") == "of calls refused"


def test_metric_named_like_a_signal_is_told_apart() -> None:
    odd = policy(metrics=[{"name": "capacity", "query": "x", "target": {"perReplica": 2}}])
    snapshot = seen(metrics={"capacity": 3.0})
    status = composing.decided(NEW, odd, snapshot, decided(odd, snapshot), FACTS)
    assert (status.signals["capacity"], status.signals["metric/capacity"]) == ("16", "3")


def test_fallback_is_what_matters_most() -> None:
    blind = seen({**BUSY, SignalName.QUEUE_DEPTH: Missing(Why.EMPTY)})
    weary = Memory(since=NOON - MINUTE, failures=2)
    status = composing.decided(NEW, policy(), blind, decided(policy(), blind, weary), FACTS)
    assert status.reason == Reason.FALLBACK_APPLIED
    assert of(status, ConditionType.SCALING_ACTIVE) == ("False", Reason.FALLBACK_APPLIED)


@pytest.mark.parametrize(
    ("spec", "gates", "reason", "cure"),
    [
        ({"maxReplicas": 5}, {}, "AtMaximum", "Raise the bound"),
        ({"demand": {"scaleUp": {"maxStep": 1}}}, {}, "StepLimited", "Raise demand.scaleUp"),
        (
            {"gates": [{"name": "database", "query": "x", "above": "90%"}]},
            {"database": 0.95},
            "GateClosed",
            "has to recover",
        ),
    ],
    ids=["bound", "step", "gate"],
)
def test_limit_is_told_with_its_cure(
    spec: dict[str, Any], gates: dict[str, float], reason: str, cure: str
) -> None:
    limited = policy(**spec)
    snapshot = seen(gates=gates)
    status = composing.decided(NEW, limited, snapshot, decided(limited, snapshot), FACTS)
    assert of(status, ConditionType.SCALING_LIMITED) == ("True", reason)
    condition = conditions.find(status.conditions, ConditionType.SCALING_LIMITED)
    assert condition is not None
    assert cure in condition.message


def test_minimum_is_no_limit() -> None:
    broad = policy(minReplicas=4)
    status = composing.decided(NEW, broad, seen(IDLE), decided(broad, seen(IDLE)), FACTS)
    assert of(status, ConditionType.SCALING_LIMITED) == ("False", Reason.NOT_LIMITED)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (outlook(), ("True", Reason.TRUSTED)),
        (outlook(trusted=False), ("False", Reason.UNTRUSTED)),
        (None, ("False", Reason.NO_FORECAST)),
    ],
    ids=["trusted", "untrusted", "none"],
)
def test_forecast_is_judged(view: object, expected: tuple[str, str]) -> None:
    snapshot = seen(outlook=view)
    status = composing.decided(NEW, policy(), snapshot, decided(policy(), snapshot), FACTS)
    assert of(status, ConditionType.FORECAST_TRUSTED) == expected


def test_forecast_is_not_judged_when_it_is_off() -> None:
    off = policy(prediction={"mode": "Off"})
    status = composing.decided(NEW, off, seen(), decided(off, seen()), FACTS)
    assert conditions.find(status.conditions, ConditionType.FORECAST_TRUSTED) is None


def test_foreign_writer_is_told() -> None:
    trouble = troubles.contested("argocd-controller", target=TARGET, found=2, decided=4)
    facts = Facts(target=TARGET, contest=trouble)
    status = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), facts)
    assert of(status, ConditionType.REPLICAS_CONTESTED) == ("True", Reason.FOREIGN_WRITER)
    assert status.reason == Reason.FOREIGN_WRITER


def test_rivals_that_cannot_be_known_are_told_and_need_attention() -> None:
    facts = Facts(target=TARGET, doubt=troubles.rivals_unknown("may not list"))
    status = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), facts)
    assert of(status, ConditionType.CONFLICT) == ("Unknown", Reason.RIVALS_UNKNOWN)
    assert ConditionType.CONFLICT in {each.type for each in conditions.unwelcome(status.conditions)}
    assert of(status, ConditionType.READY) == ("True", Reason.HEALTHY)


def test_pause_keeps_the_last_decision_and_carries_nothing_out() -> None:
    old = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    still = composing.paused(
        old,
        policy(4, mode="Paused"),
        target=TARGET,
        replicas=Replicas(current=4, ready=2),
        now=NOON + MINUTE,
    )
    assert (still.decision, still.desired_replicas) == (old.decision, old.desired_replicas)
    assert (still.mode, still.ready_replicas) == (Mode.PAUSED, 2)
    assert (still.reason, still.observed_generation) == (Reason.PAUSED, 4)
    assert [event.outcome for event in still.history] == [Outcome.FAILED]
    assert of(still, ConditionType.SCALING_ACTIVE) == ("False", Reason.PAUSED)


def test_pause_tells_no_counts_of_a_target_that_was_not_seen() -> None:
    still = composing.paused(NEW, policy(), target=TARGET, replicas=None, now=NOON)
    assert (still.current_replicas, still.ready_replicas) == (None, None)


def test_obstacle_drops_what_is_stale_and_keeps_what_was_learned() -> None:
    old = composing.decided(NEW, policy(), seen(), decided(policy(), seen()), FACTS)
    old = composing.ended(old, old.history[0], Outcome.APPLIED)
    trouble = troubles.target_not_found("Deployment", "research-agent")
    halted = composing.halted(old, trouble, generation=3, now=NOON + MINUTE)
    assert (halted.current_replicas, halted.desired_replicas, halted.decision) == (None, None, None)
    assert (halted.signals, halted.forecast) == ({}, None)
    assert (halted.lead_time, halted.slots_per_replica) == ("42s", "4")
    assert (halted.history, halted.target) == (old.history, TARGET)
    assert halted.last_scale_up_time == old.last_scale_up_time
    assert of(halted, ConditionType.READY) == ("False", Reason.TARGET_NOT_FOUND)
    assert conditions.find(halted.conditions, ConditionType.CONFLICT) is None


def test_conflict_is_a_condition_of_its_own() -> None:
    trouble = troubles.target_shared("agents/older")
    halted = composing.halted(NEW, trouble, generation=1, now=NOON, target=TARGET)
    assert conditions.is_true(halted.conditions, ConditionType.CONFLICT)
    assert of(halted, ConditionType.READY) == ("False", Reason.TARGET_SHARED)
    assert halted.target == TARGET
