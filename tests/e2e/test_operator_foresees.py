"""The forecast on a real Prometheus: yesterday's load raises the floor before it comes again."""

import pytest

from tests.e2e.worlds import World

pytestmark = pytest.mark.e2e


def test_load_of_yesterday_raises_the_floor_before_the_ramp(foreseeing: World) -> None:
    foreseeing.agent()
    foreseeing.pin(queue=0, active=0)
    foreseeing.policy(
        prediction={"mode": "Act", "method": "TimeOfDay"}, demand={"scaleUp": {"maxStep": 20}}
    )
    foreseeing.until_reason("Forecast")
    foreseeing.until_carried_out()
    forecast = foreseeing.status()["forecast"]
    assert foreseeing.replicas() * 4 >= float(forecast["expected"])
    assert forecast["trusted"]
    assert float(forecast["expected"]) > 20
    assert "slots expected in 15m" in foreseeing.status()["message"]


def test_forecast_that_only_observes_raises_nothing(foreseeing: World) -> None:
    foreseeing.agent("observed")
    foreseeing.pin("observed", queue=0, active=0)
    foreseeing.policy(
        "observed",
        prediction={"mode": "Observe", "method": "TimeOfDay"},
        signals={"agent": "agent"},  # its past, its present
    )
    foreseeing.until_condition("ForecastTrusted", "True", "observed")
    assert foreseeing.replicas("observed") == 1
