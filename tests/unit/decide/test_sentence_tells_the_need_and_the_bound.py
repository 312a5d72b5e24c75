"""The sentence of a decision: the need that set the count, and what bound it, each once."""

import pytest

from agentscaler.decide.engine import decide
from tests.unit.decide.worlds import OLD, outlook, policy, seen


def test_need_that_is_met_is_told_once() -> None:
    decision = decide(policy(), seen(active_requests=24.0, wait=0.0), OLD)
    assert decision.message == f"goes from 4 to 6: {decision.steps[0].message}"


def test_bound_follows_the_need() -> None:
    decision = decide(policy(maxReplicas=5), seen(active_requests=24.0, wait=0.0), OLD)
    need, bound = decision.steps
    assert decision.message == f"goes from 4 to 5: {need.message}; {bound.message}"


@pytest.mark.parametrize("active", [16.0, 24.0], ids=["stays", "grows"])
def test_forecast_that_changes_nothing_is_not_the_need(active: float) -> None:
    view = seen(active_requests=active, wait=0.0, outlook=outlook(4.0))
    decision = decide(policy(), view, OLD)
    assert [step.name for step in decision.steps] == ["demand", "forecast"]
    assert decision.message.endswith(f": {decision.steps[0].message}")


def test_forecast_that_raises_is_the_need() -> None:
    view = seen(active_requests=20.0, wait=0.0, outlook=outlook(24.0))
    decision = decide(policy(), view, OLD)
    assert decision.message == f"goes from 4 to 6: {decision.steps[1].message}"
