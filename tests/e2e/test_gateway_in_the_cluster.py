"""The gateway with its chart's rights: it finds backends by EndpointSlices, and wakes from zero."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kubernetes import client, config

from tests.bed import Bed, BedError
from tests.bed.processes import wait_until
from tests.e2e.gateways import USER, InstalledGateway
from tests.e2e.listed_agents import ListedAgent, endpoint_slice
from tests.e2e.worlds import SYSTEM_NAMESPACE, World, deployment

pytestmark = pytest.mark.e2e


def status_of(url: str) -> int:
    return requests.post(url, timeout=60, headers={"X-Id": "1"}, data=b"question").status_code


@pytest.fixture(scope="module")
def asleep(installed: Bed) -> Iterator[World]:
    """Give a namespace with a Deployment at zero, which nobody plays."""
    bare = World(installed, None)  # type: ignore[arg-type]
    bare.apply(deployment("agent", 0))
    bare.policy(minReplicas=0, pollingInterval="60s")
    yield bare
    bare.close()


@pytest.fixture(scope="module")
def gateway(installed: Bed, asleep: World) -> Iterator[InstalledGateway]:
    service = {"name": "agent", "namespace": asleep.namespace, "port": "http"}
    route = {
        "agent": "agent",
        "backends": {"service": service},
        "wake": {"policy": "agent"},
        "queue": {"deadline": "60s"},
    }
    with InstalledGateway(installed, route) as running:
        yield running


@pytest.mark.usefixtures("attend")
def test_request_for_a_target_at_zero_wakes_it_long_before_its_next_poll(
    installed: Bed, asleep: World, gateway: InstalledGateway
) -> None:
    wait_until(lambda: bool(asleep.status()), within=60, what="the first look at the policy")
    config.load_kube_config(str(installed.kubeconfig))  # type: ignore[no-untyped-call]
    apps = client.AppsV1Api()

    def replicas() -> int:
        found = apps.read_namespaced_deployment("agent", asleep.namespace)
        return found.spec.replicas or 0

    assert replicas() == 0
    agent = ListedAgent()
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        asking = pool.submit(status_of, gateway.url)
        while replicas() == 0 and time.monotonic() < began + 20:
            time.sleep(0.01)
        took = time.monotonic() - began
        asleep.apply(endpoint_slice("agent", agent))
        assert asking.result() == 200, "held until the first endpoint was ready"
        assert took < 5, f"{took:.2f} s from the request to the patched count"
    assert asleep.history()[0]["reason"] == "Woken"
    asleep.kubectl("delete", "endpointslice", "--all")
    agent.stop()


def test_line_is_told_where_the_policy_looks_for_it(
    asleep: World, gateway: InstalledGateway
) -> None:
    assert gateway.namespaces() == {asleep.namespace} != {SYSTEM_NAMESPACE}


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    ("namespaced", "question", "expected"),
    [
        (True, ("watch", "endpointslices.discovery.k8s.io"), True),
        (True, ("patch", "agentscalingpolicies.agentscaler.dev/agent"), True),
        (True, ("patch", "agentscalingpolicies.agentscaler.dev/other"), False),
        (True, ("get", "agentscalingpolicies.agentscaler.dev/agent"), False),
        (True, ("patch", "agentscalingpolicies.agentscaler.dev", "--subresource=status"), False),
        (True, ("patch", "deployments.apps", "--subresource=scale"), False),
        (True, ("get", "pods"), False),
        (True, ("get", "secrets"), False),
        (True, ("update", "endpointslices.discovery.k8s.io"), False),
        (False, ("list", "endpointslices.discovery.k8s.io"), False),
    ],
    ids=str,
)
def test_account_may_do_its_work_and_no_more(
    installed: Bed, asleep: World, namespaced: bool, question: tuple[str, ...], expected: bool
) -> None:
    where = asleep.namespace if namespaced else SYSTEM_NAMESPACE
    try:
        asked = ("auth", "can-i", *question, f"--as={USER}", f"--namespace={where}")
        said = installed.kubectl(*asked).strip()
    except BedError:  # kubectl ends with 1 for "no"
        said = "no"
    assert (said == "yes") is expected


@pytest.mark.usefixtures("gateway")
def test_account_may_wake_a_policy_and_change_nothing_else(asleep: World) -> None:
    def patch(text: str) -> None:
        # By kubectl patch, which reads before it writes; the account itself may only write.
        asleep.kubectl(
            "patch", "asp", "agent", "--type=merge", f"--patch={text}",
            f"--as={USER}", "--as-group=system:masters",
        )  # fmt: skip

    patch('{"metadata": {"annotations": {"agentscaler.dev/wake": "2026-01-01T00:00:00Z"}}}')
    for text in ('{"spec": {"maxReplicas": 99}}', '{"metadata": {"labels": {"a": "b"}}}'):
        with pytest.raises(BedError, match="may wake a policy and change nothing else"):
            patch(text)
