"""Unknown fields and values of another type, as the API server sees them."""

from typing import Any

import pytest

from agentscaler.api import crd
from agentscaler.api.misfits import misfits
from tests.unit.api.specs import TARGET

SCHEMA = crd.resource_schema()


def found(**spec: Any) -> list[str]:
    body = {"metadata": {"name": "a"}, "spec": {"scaleTargetRef": TARGET, **spec}}
    return [str(problem) for problem in misfits(body, SCHEMA)]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"minReplica": 2}, "spec.minReplica: unknown field: did you mean minReplicas?"),
        ({"quite": 1}, "spec.quite: unknown field"),
        ({"demand": {"scaleup": {}}}, "spec.demand.scaleup: unknown field: did you mean scaleUp?"),
        ({"maxReplicas": "10"}, "spec.maxReplicas: '10' does not fit: write a whole number"),
        ({"maxReplicas": True}, "spec.maxReplicas: True does not fit: write a whole number"),
        (
            {"demand": {"targetUtilization": 0.7}},
            "spec.demand.targetUtilization: 0.7 does not fit: write a percentage above 0% and at "
            "most 100%, like 80%",
        ),
        (
            {"demand": {"targetUtilization": True}},
            "spec.demand.targetUtilization: True does not fit: write a percentage above 0% and "
            "at most 100%, like 80%",
        ),
        (
            {"pollingInterval": 15},
            "spec.pollingInterval: 15 does not fit: write it like 30s, 15m, 1h30m or 8d",
        ),
        ({"metrics": {}}, "spec.metrics: {} does not fit: write a list"),
        ({"signals": []}, "spec.signals: [] does not fit: write an object"),
        ({"metrics": [{"nam": "a"}]}, "spec.metrics[0].nam: unknown field: did you mean name?"),
    ],
)
def test_misfit_names_field_and_fix(spec: dict[str, Any], said: str) -> None:
    assert found(**spec) == [said]


def test_null_and_metadata_are_left_to_the_api_server() -> None:
    assert found(minReplicas=None) == []


def test_fitting_spec_has_no_misfits() -> None:
    assert found(minReplicas=0, demand={"targetUtilization": 70, "spare": "10%"}) == []
