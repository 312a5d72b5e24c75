"""A thousand policies: constant queries, no writes but the refreshing, every policy each time.

Every tenth target is a Deployment; the others are of a kind with nothing but a `/scale`.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentscaler import conventions
from agentscaler.act.client import Limits, connect
from agentscaler.act.places import POLICIES, Resource
from agentscaler.report.status import HEARTBEAT
from tests.bed.processes import wait_until
from tests.benchmarks.scale.objects import CREWS, crew, define_crews
from tests.e2e.operators import Operator
from tests.e2e.worlds import World, deployment

pytestmark = pytest.mark.e2e

PLACES = {
    conventions.KIND: POLICIES,
    "Deployment": Resource("apps/v1", "deployments"),
    "Crew": CREWS,
}
COUNT = 1000
INTERVAL_SECONDS = 15


def documents() -> Iterator[dict[str, Any]]:
    for number in range(COUNT):
        name = f"agent-{number}"
        target = crew(name) if number % 10 else deployment(name)
        yield target
        yield {
            "apiVersion": conventions.API_VERSION,
            "kind": conventions.KIND,
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": target["apiVersion"],
                    "kind": target["kind"],
                    "name": name,
                },
                "signals": {"capacity": {"perReplica": "4"}},
                "pollingInterval": f"{INTERVAL_SECONDS}s",
                "prediction": {"mode": "Off"},
            },
        }


@pytest.mark.timeout(1500)
def test_thousand_policies_cost_a_constant_number_of_queries(
    world: World, process: Operator
) -> None:
    show_loads(world, 1.0)
    define_crews(world.bed)
    try:
        asyncio.run(create_all(world))
        check_cost(process)
    finally:
        show_loads(world, None)
        # Their end must not be the next test's burden. One by one takes a minute on a slow machine;
        # as a collection, the server breaks it off after one.
        for resource in PLACES.values():
            world.kubectl("delete", resource.plural, "--all", "--wait=false", timeout=400)
    wait_until(
        lambda: process.metric("agentscaler_policies", state="Active") < COUNT / 10,
        within=120,
        what="the end of the policies",
    )


def show_loads(world: World, load: float | None) -> None:
    """Have each agent that busy, with nobody waiting; None ends its series."""
    for number in range(COUNT):
        labels = {"namespace": world.namespace, "agent": f"agent-{number}"}
        world.fleet.gauge(conventions.ACTIVE_REQUESTS, load, **labels)
        world.fleet.gauge(conventions.QUEUE_DEPTH, load and 0.0, **labels)


def check_cost(process: Operator) -> None:
    """Wait until all policies are followed and told of, and count what four intervals cost."""
    wait_until(
        lambda: process.metric("agentscaler_policies", state="Active") >= COUNT,
        within=400,
        what="all policies active",
    )
    wait_until(lambda: is_quiet(process), within=400, what="quiet intervals")
    before = Counts(process)
    time.sleep(4 * INTERVAL_SECONDS)
    after = Counts(process)
    passes = after.passes - before.passes
    assert (after.queries - before.queries) / passes <= 12
    assert after.patches - before.patches <= most_beats(4 * INTERVAL_SECONDS)
    assert after.decisions - before.decisions >= 3 * COUNT


async def create_all(world: World) -> None:
    """Create the objects side by side: one by one, kubectl takes minutes."""
    api = await connect(world.bed.kubeconfig, limits=Limits(per_second=1000, burst=1000))
    try:
        await asyncio.gather(
            *(
                api.create(PLACES[document["kind"]].at(world.namespace), document)
                for document in documents()
            )
        )
    finally:
        await api.close()


class Counts:
    """What the operator has done so far."""

    def __init__(self, operator: Operator) -> None:
        self.queries = operator.metric("agentscaler_prometheus_queries_total", outcome="sent")
        self.passes = operator.metric("agentscaler_pass_duration_seconds_count")
        self.patches = operator.metric("agentscaler_status_patches_total", outcome="written")
        self.decisions = operator.metric("agentscaler_decisions_total")


def is_quiet(operator: Operator) -> bool:
    """Tell whether all was told, also what is told once it has lasted for four decisions."""
    before, seconds = Counts(operator).patches, 4.5 * INTERVAL_SECONDS
    time.sleep(seconds)
    return Counts(operator).patches - before <= most_beats(seconds)


def most_beats(seconds: float) -> float:
    """Give how many statuses are refreshed in that time at most, chance included."""
    return 1.5 * COUNT * seconds / HEARTBEAT.total_seconds()
