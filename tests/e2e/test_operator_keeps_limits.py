"""Provider limits and budgets on a real control plane, through a restart of the operator."""

import json
import time
import urllib.parse
import urllib.request
from typing import Any

import pytest

from tests.bed.fleet.agent import PROVIDER
from tests.bed.fleet.config import Steady, Work
from tests.bed.processes import wait_until
from tests.e2e.operators import AnyOperator
from tests.e2e.worlds import World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
LIMITED = {"providers": [{"name": PROVIDER}]}


def refused(world: World) -> float:
    """Ask Prometheus for the share of refused calls, as the operator would; 1 if there is none."""
    of = f'provider="{PROVIDER}",namespace="{world.namespace}"'
    name = "agent_llm_responses_total"
    query = f'sum(rate({name}{{{of},outcome="rate_limited"}}[1m])) / sum(rate({name}{{{of}}}[1m]))'
    asked = f"{world.bed.prometheus_here}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own server
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return float(result[0]["value"][1]) if result else 1.0


def working(world: World) -> None:
    """Have two replicas answer requests, with calls to a provider that refuses a third of them."""
    world.agent(replicas=2)
    world.fleet.load(world.namespace, "agent", Steady(rate=8, work=Work(mean=0.2)))
    world.fleet.ratios(world.namespace, "agent", rate_limited=0.33)
    world.pin(queue=0, active=0)


@pytest.mark.timeout(300)
def test_ceiling_of_a_refusing_provider_outlives_the_operator(
    world: World, operator: AnyOperator
) -> None:
    working(world)
    world.policy(demand=EAGER, limits=LIMITED, minReplicas=2)
    wait_until(
        lambda: refused(world) < 0.5 and world.status().get("desiredReplicas") == 2,
        within=60,
        what="a share of refused calls",
    )
    world.pin(queue=20, active=0)
    world.until_reason("ProviderLimited")
    assert world.replicas() == 2
    assert "refuses" in world.status()["message"]
    assert world.condition("ScalingLimited")["reason"] == "ProviderLimited"
    assert world.status()["limits"]["ceilings"][0]["replicas"] == 2
    operator.kill()
    try:
        world.fleet.ratios(world.namespace, "agent", rate_limited=0.0)
        wait_until(lambda: refused(world) < 0.04, within=120, what="a provider that takes calls")
    finally:
        operator.start()
    # Without what was recorded it would go to the need at once.
    world.until_replicas(3, within=90)
    step = world.history()[0]
    assert (step["from"], step["to"], step["reason"]) == (2, 3, "ProviderLimited")


def test_exhausted_budget_adds_nothing(world: World) -> None:
    world.agent()
    world.pin(queue=0, active=0)
    budget = {"replicaHourCost": "3600k", "hard": "1"}  # a thousand a second
    world.policy(demand=EAGER, limits={"budget": budget})
    wait_until(lambda: bool(world.status().get("limits")), within=60, what="a budget in the status")
    time.sleep(3)  # two polls and more, in which money is spent
    world.pin(queue=20, active=0)
    world.until_reason("BudgetExhausted")
    assert world.replicas() == 1
    world.policy(demand=EAGER, limits={"budget": {**budget, "hard": "100G"}})
    world.until_reason("Demand")
    world.until_carried_out()
    assert world.replicas() > 5
