"""What takes pods behind a Service to be seen: the webhook's way, and shards in one release."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.bed import Bed
from tests.bed.processes import wait_until
from tests.e2e.conftest import CHART
from tests.e2e.judged import said_of, until_said
from tests.e2e.operator_pods import OperatorPods, value_on
from tests.e2e.operators import RELEASE
from tests.e2e.sharded import grow, homes
from tests.e2e.worlds import SYSTEM_NAMESPACE, World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
NEVER = {"name": "day", "start": "0 25 * * *", "end": "0 9 * * *", "minReplicas": 2}

Change = Callable[[str], None]


@pytest.fixture
def change(installed: Bed, pods: OperatorPods) -> Iterator[Change]:
    """Change values of the release, and wait for its new pods; in the end all is as before."""

    def upgrade(values: str) -> None:
        old = set(pods.pods())
        installed.helm(
            "upgrade", RELEASE, str(CHART), "--namespace", SYSTEM_NAMESPACE, "--reuse-values",
            "--wait", "--set", values, timeout=180,
        )  # fmt: skip
        wait_until(lambda: old.isdisjoint(pods.pods()), within=60, what="the end of the old pods")

    yield upgrade
    upgrade("webhook.enabled=false,webhook.failurePolicy=Ignore,shards=1")
    pods.start()


def test_webhook_is_asked_through_its_service(world: World, change: Change) -> None:
    world.agent()
    assert said_of(world, "first", schedules=[NEVER]) == ""
    change("webhook.enabled=true,webhook.failurePolicy=Fail")
    until_said(
        "denied the request: spec.schedules[0].start: bad hour", world, "first", schedules=[NEVER]
    )
    assert said_of(world, "first") == ""
    change("podAnnotations.e2e=webhook")  # the chart keeps the certificate that it has made
    until_said("bad hour", world, "first", schedules=[NEVER])


def led(pods: OperatorPods) -> list[list[int]]:
    """Tell which shards each pod leads."""
    pages = [pods.page(pod) for pod in pods.pods()]
    return sorted(
        [shard for shard in range(2) if value_on(page, "agentscaler_leader", shard=str(shard))]
        for page in pages
    )


def test_each_of_two_pods_acts_for_its_shard(
    installed: Bed, world: World, change: Change, pods: OperatorPods
) -> None:
    change("shards=2")
    wait_until(lambda: led(pods) == [[0], [1]], within=40, what="two leaders")
    with ExitStack() as made:
        for name in homes(2):
            home = World(installed, world.fleet, name)
            made.callback(home.close)
            home.agent()
            home.pin(queue=4, active=0)
            home.policy(demand=EAGER, maxReplicas=40)
            grow(home)
            assert not home.events("ReplicasContested")
