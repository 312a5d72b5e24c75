"""The forecast stage: raises when trusted and allowed to act, and is told in every case."""

from typing import Any

import pytest

from agentscaler.decide.decision import Memory, carried_out
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Snapshot
from tests.unit.decide.worlds import NOON, OLD, SECOND, outlook, policy, seen, threshold

RAMP = outlook(26.0, expected=20.0)


def test_trusted_forecast_raises() -> None:
    decision = decide(policy(), seen(outlook=RAMP), OLD)
    # 26 slots of the quantile, more than the 20 expected ones: 7 replicas of 4 slots.
    assert (decision.replicas, decision.reason) == (7, "Forecast")
    assert "20.0 slots expected in 1m, at most 26.0" in decision.message


def test_expected_load_is_spread_to_the_target_utilization() -> None:
    spec = policy(demand={"targetUtilization": "70%"})
    # 20 expected slots at 70 % are 28.6, more than the 26 of the quantile.
    assert decide(spec, seen(outlook=RAMP), OLD).replicas == 8


def test_forecast_never_lowers() -> None:
    decision = decide(policy(), seen(active_requests=40.0, outlook=outlook(1.0)), OLD)
    assert decision.reason != "Forecast"
    assert decision.replicas == 8


@pytest.mark.parametrize(
    ("spec", "forecast", "reason"),
    [
        ({"prediction": {"mode": "Observe"}}, RAMP, "ForecastObserved"),
        ({}, outlook(26.0, trusted=False), "ForecastUntrusted"),
    ],
    ids=["observe", "untrusted"],
)
def test_forecast_that_may_not_act_is_told(
    spec: dict[str, Any], forecast: Any, reason: str
) -> None:
    decision = decide(policy(**spec), seen(outlook=forecast), OLD)
    assert decision.replicas < 4
    assert reason in [step.reason for step in decision.steps]


def test_forecast_switched_off_says_nothing() -> None:
    decision = decide(policy(prediction={"mode": "Off"}), seen(outlook=RAMP), OLD)
    assert "forecast" not in [step.name for step in decision.steps]


def test_forecast_needs_the_slots_of_a_replica() -> None:
    decision = decide(policy(signals={}), seen(outlook=RAMP), Memory(since=NOON))
    assert "forecast" not in [step.name for step in decision.steps]


def test_threshold_reaches_for_its_upper_utilization() -> None:
    # 20 expected slots at 80 % are 25, less than the 26 of the quantile: 7 replicas.
    assert decide(threshold(), seen(outlook=RAMP, active_requests=8.0), OLD).replicas == 7


def test_proactive_step_is_on_record_and_starts_and_obeys_the_cooldown() -> None:
    first = decide(threshold(), seen(outlook=RAMP, active_requests=8.0), OLD)
    assert (first.reason, first.replicas) == ("Forecast", 7)
    after = carried_out(first)
    assert after.last_up == NOON

    def later(seconds: int) -> Snapshot:
        at = NOON + seconds * SECOND
        return seen(at, replicas=7, outlook=outlook(60.0), active_requests=14.0)

    held = decide(threshold(), later(59), after)
    assert (held.reason, held.replicas) == ("CoolingDown", 7)
    # 60 expected slots at 80 % are 75: 19 replicas of 4.
    freed = decide(threshold(), later(60), after)
    assert (freed.reason, freed.replicas) == ("Forecast", 19)
