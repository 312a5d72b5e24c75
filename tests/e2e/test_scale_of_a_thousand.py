"""A thousand policies: constant queries, no idle writes, every policy in every interval."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentscaler import conventions
from tests.bed.fleet import AgentConfig
from tests.bed.processes import wait_until
from tests.e2e.operators import Operator
from tests.e2e.worlds import World, deployment

pytestmark = pytest.mark.e2e

COUNT = 1000
INTERVAL_SECONDS = 5


def documents() -> Iterator[dict[str, Any]]:
    for number in range(COUNT):
        name = f"agent-{number}"
        yield deployment(name)
        yield {
            "apiVersion": conventions.API_VERSION,
            "kind": conventions.KIND,
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name},
                "pollingInterval": f"{INTERVAL_SECONDS}s",
                "prediction": {"mode": "Off"},
            },
        }


@pytest.mark.timeout(600)
def test_thousand_policies_cost_a_constant_number_of_queries(
    world: World, operator: Operator
) -> None:
    for number in range(COUNT):
        world.fleet.put(AgentConfig(namespace=world.namespace, name=f"agent-{number}"))
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents())})
    world.kubectl("create", "--filename=-", stdin=manifest, timeout=200)
    wait_until(
        lambda: operator.metric("agentscaler_policies", state="Active") >= COUNT,
        within=180,
        what="all policies active",
    )
    wait_until(lambda: is_quiet(operator), within=120, what="a quiet interval")
    before = Counts(operator)
    time.sleep(4 * INTERVAL_SECONDS)
    after = Counts(operator)
    passes = after.passes - before.passes
    assert (after.queries - before.queries) / passes <= 12
    assert after.patches - before.patches == 0
    assert after.decisions - before.decisions >= 3 * COUNT


class Counts:
    """What the operator has done so far."""

    def __init__(self, operator: Operator) -> None:
        self.queries = operator.metric("agentscaler_prometheus_queries_total", outcome="sent")
        self.passes = operator.metric("agentscaler_pass_duration_seconds_count")
        self.patches = operator.metric("agentscaler_status_patches_total", outcome="written")
        self.decisions = operator.metric("agentscaler_decisions_total")


def is_quiet(operator: Operator) -> bool:
    """Tell whether no status was written for more than an interval."""
    before = Counts(operator).patches
    time.sleep(1.5 * INTERVAL_SECONDS)
    return Counts(operator).patches == before
