"""The door for simulators: what it takes, what it refuses, and that clocks run as they should."""

import doctest
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from agentscaler.decide.decision import Decision
from agentscaler.errors import InvalidPolicyError
from agentscaler.simulate import Pilot, pilot

FULL = {"activeRequests": 8, "queueDepth": 4, "capacity": 8}
FLOOD = {"activeRequests": 16, "queueDepth": 90, "capacity": 8}
IDLE = {"activeRequests": 0, "queueDepth": 0, "capacity": 8}


def spec(**fields: Any) -> dict[str, Any]:
    return {"scaleTargetRef": {"name": "agent"}, "maxReplicas": 50, **fields}


def step_of(decision: Decision, name: str) -> str:
    return next(step.reason for step in decision.steps if step.name == name)


def test_documentation_shows_what_happens() -> None:
    assert doctest.testmod(pilot) == doctest.TestResults(failed=0, attempted=6)


def test_pilot_sizes_for_the_work() -> None:
    decision = Pilot(spec()).decide(0, FULL, current=3, ready=2, starting=1)
    assert decision.replicas > 3
    assert decision.current == 3
    assert decision.message


def test_pilot_decides_the_same_for_the_same_calls() -> None:
    def run() -> list[Decision]:
        flight, made = Pilot(spec()), []
        current = 2
        for poll in range(100):
            busy = (poll * 7) % 23
            load = {"activeRequests": min(busy, 4 * current), "queueDepth": 3, "capacity": 8}
            made.append(flight.decide(poll * 15.0, load, current=current, ready=current))
            current = made[-1].replicas
        return made

    assert run() == run()


def test_first_decision_removes_nothing_and_later_ones_do() -> None:
    flight = Pilot(spec(demand={"scaleDown": {"cooldown": "0s", "maxStep": 10}}))
    assert flight.decide(0, IDLE, current=4, ready=4).replicas == 4
    assert flight.decide(15, IDLE, current=4, ready=4).replicas == 1


def test_rollout_removes_nothing() -> None:
    flight = Pilot(spec(demand={"scaleDown": {"cooldown": "0s", "maxStep": 10}}))
    flight.decide(0, IDLE, current=4, ready=4)
    assert flight.decide(15, IDLE, current=4, ready=4, rolling_out=True).replicas == 4
    assert flight.decide(30, IDLE, current=4, ready=4).replicas == 1


@pytest.mark.parametrize(
    "readings",
    [{}, dict.fromkeys(FULL, None), {**IDLE, "activeRequests": float("nan")}],
    ids=["left out", "None", "NaN"],
)
def test_unknown_reading_removes_nothing(readings: Mapping[str, float | None]) -> None:
    flight = Pilot(spec(demand={"scaleDown": {"cooldown": "0s"}}))
    flight.decide(0, IDLE, current=4, ready=4)
    decision = flight.decide(15, readings, current=4, ready=4)
    assert decision.replicas == 4
    assert step_of(decision, "demand") == "DemandIncomplete"


def test_unknown_readings_lead_to_the_fallback_after_so_many_polls() -> None:
    flight = Pilot(spec(fallback={"afterFailures": 3, "behavior": "AtLeast", "replicas": 9}))
    counts = [flight.decide(at, {}, current=2, ready=2).replicas for at in (0, 15, 30)]
    assert counts == [2, 2, 9]


def test_reading_without_series_counts_as_zero_where_the_policy_says_so() -> None:
    signals = {"queueDepth": {"metric": "backlog", "emptyResult": "Zero"}}
    flight = Pilot(spec(signals=signals))
    decision = flight.decide(0, {"activeRequests": 3, "capacity": 8}, current=2, ready=2)
    assert step_of(decision, "demand") == "Demand"


def test_signal_that_the_operator_could_not_read_is_not_used() -> None:
    flight = Pilot(spec(signals={"preset": "vllm"}))
    decision = flight.decide(0, FULL, current=2, ready=2)
    assert step_of(decision, "demand") == "CapacityUnknown"


def test_own_metrics_and_gates_are_taken_by_name() -> None:
    flight = Pilot(
        spec(
            metrics=[{"name": "tickets", "query": "sum(tickets)", "target": {"perReplica": "2"}}],
            gates=[{"name": "database", "query": "max(busy)", "above": "90%"}],
        )
    )
    open_gate = {"metrics.tickets": 12, "gates.database": 0.5}
    closed_gate = {"metrics.tickets": 12, "gates.database": 0.95}
    assert flight.decide(0, open_gate, current=4, ready=4).replicas == 6
    assert flight.decide(15, closed_gate, current=4, ready=4).reason == "GateClosed"


def test_share_of_refused_calls_is_taken_for_all_providers_or_by_name() -> None:
    limits = {"providers": [{"name": "openai"}, {"name": "own"}]}
    for refused in (
        {"rateLimitedRatio": 0.3},
        {"rateLimitedRatio": 0.0, "providers.own": 0.3},
        {"providers.openai": 0.3},
    ):
        decision = Pilot(spec(limits=limits)).decide(0, {**FLOOD, **refused}, current=4, ready=4)
        assert (decision.replicas, decision.reason) == (4, "ProviderLimited")
    free = Pilot(spec(limits=limits)).decide(0, FLOOD, current=4, ready=4)
    assert free.replicas == 8


def test_cooldown_runs_from_the_decision_that_was_followed() -> None:
    flight = Pilot(spec(threshold={"scaleUp": {"step": 1, "cooldown": "60s"}}))
    assert flight.decide(0, FLOOD, current=2, ready=2).replicas == 3
    assert flight.decide(30, FLOOD, current=3, ready=2).reason == "CoolingDown"
    assert flight.decide(60, FLOOD, current=3, ready=2).replicas == 4


def test_cooldown_does_not_run_when_the_decision_was_not_followed() -> None:
    flight = Pilot(spec(threshold={"scaleUp": {"step": 1, "cooldown": "60s"}}))
    assert flight.decide(0, FLOOD, current=2, ready=2).replicas == 3
    assert flight.decide(30, FLOOD, current=2, ready=2).replicas == 3


def test_time_of_a_start_is_learned_from_the_counts() -> None:
    flight = Pilot(spec())
    wanted = flight.decide(0, FULL, current=2, ready=2).replicas
    flight.watch(1, current=wanted, ready=2)
    flight.watch(47, current=wanted, ready=wanted)
    decision = flight.decide(60, FULL, current=wanted, ready=wanted)
    assert "expected in 47s" in next(s.message for s in decision.steps if s.name == "forecast")


def test_forecast_begins_from_the_past_that_is_recalled() -> None:
    season = 2 * 3600.0
    times = np.arange(0, season, 30.0)
    loads = 40 - 36 * np.cos(times / season * 2 * np.pi)
    recalling, fresh = (
        Pilot(spec(prediction={"lookahead": "5m", "season": "2h"})) for _ in range(2)
    )
    recalling.recall(times, loads, now=season)
    dawn = {"activeRequests": 4, "queueDepth": 0, "capacity": 8}
    told = [each.decide(season, dawn, current=2, ready=2) for each in (recalling, fresh)]
    said = [next(s.message for s in each.steps if s.name == "forecast") for each in told]
    assert not said[0].startswith("0.0 slots expected in 5m")
    assert said[1].startswith("0.0 slots expected in 5m")


def test_past_that_another_recalled_is_known_as_well() -> None:
    times = np.arange(0, 2 * 3600.0, 60.0)
    first, second = Pilot(spec()), Pilot(spec())
    first.recall(times, np.full(len(times), 9.0), now=2 * 3600.0)
    second.recall_like(first)
    told = [each.decide(2 * 3600.0, FULL, current=2, ready=2) for each in (first, second)]
    assert told[0] == told[1]
    assert "9.0 slots expected" in next(s.message for s in told[1].steps if s.name == "forecast")


def test_past_recalled_for_another_forecast_is_refused() -> None:
    with pytest.raises(ValueError, match="forecasts in another way"):
        Pilot(spec()).recall_like(Pilot(spec(prediction={"quantile": "50%"})))


def test_policy_without_forecast_has_no_step_of_it() -> None:
    decision = Pilot(spec(prediction={"mode": "Off"})).decide(0, FULL, current=2, ready=2)
    assert "forecast" not in {step.name for step in decision.steps}


def test_pods_that_drain_are_left_to_the_simulator() -> None:
    plain = spec(demand={"scaleDown": {"cooldown": "0s", "maxStep": 10}})
    for fields in (plain, {**plain, "drain": {}}):
        flight = Pilot(fields)
        flight.decide(0, IDLE, current=4, ready=4)
        assert flight.decide(15, IDLE, current=4, ready=4).replicas == 1


def test_numbers_of_numpy_are_numbers() -> None:
    load: dict[str, Any] = {
        "activeRequests": np.float32(8), "queueDepth": np.int64(4), "capacity": np.float64(8)
    }  # fmt: skip
    two: Any = np.int64(2)
    plain = Pilot(spec()).decide(5, FULL, current=2, ready=2)
    assert Pilot(spec()).decide(
        np.float64(5), load, current=two, ready=two
    ) == plain  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"minReplicas": 60}, "spec: minReplicas must not exceed"),
        ({"maxReplica": 3}, "spec.maxReplica: unknown field: did you mean maxReplicas?"),
        ({"demand": {"wait": {"target": "soon"}}}, "spec.demand.wait.target"),
        ({"scaleTargetRef": {}}, "spec.scaleTargetRef.name"),
    ],
    ids=["bounds", "unknown field", "duration", "no target"],
)
def test_spec_is_refused_in_the_words_of_the_api(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidPolicyError) as refused:
        Pilot(spec(**fields))
    assert named in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_spec_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValueError, match="spec is list: give the spec of a policy as a mapping"):
        Pilot([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"now": -1}, "now is -1: give seconds"),
        ({"now": float("nan")}, "now is nan: give seconds"),
        ({"now": "noon"}, "now is 'noon': give seconds"),
        ({"now": 99}, "now is 99, before 100 of the call before"),
        ({"current": -1}, "current is -1: give a whole number"),
        ({"ready": 1.5}, "ready is 1.5: give a whole number"),
        ({"starting": True}, "starting is True: give a whole number"),
        ({"readings": {"queue": 1}}, "no reading is called 'queue': use one of activeRequests, "),
        ({"readings": {"queueDepth": "4"}}, "queueDepth is '4': give a number, or None"),
        ({"readings": {"queueDepth": True}}, "queueDepth is True: give a number, or None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_argument_that_makes_no_sense_is_refused(arguments: dict[str, Any], said: str) -> None:
    flight = Pilot(spec())
    flight.decide(100, FULL, current=2, ready=2)
    usual: dict[str, Any] = {"now": 115, "readings": FULL, "current": 2, "ready": 2}
    with pytest.raises(ValueError, match=r"give|use|before") as refused:
        flight.decide(**{**usual, **arguments})
    assert said in str(refused.value)


def test_refused_call_leaves_the_pilot_as_it_was() -> None:
    flight, twin = Pilot(spec()), Pilot(spec())
    for each in (flight, twin):
        each.decide(0, FULL, current=2, ready=2)
    with pytest.raises(ValueError, match="queue"):
        flight.decide(400, {"queue": 1}, current=4, ready=4)
    with pytest.raises(ValueError, match="starting"):
        flight.decide(400, FULL, current=4, ready=4, starting=-1)
    after = [each.decide(15, FULL, current=4, ready=2) for each in (flight, twin)]
    assert after[0] == after[1]
