"""The cluster that all end-to-end tests share: a bed with the chart installed.

Each test makes its own namespace; nothing else may be left behind, for the bed is one for all.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bed import Bed, BedConfig, images
from tests.bed.errors import UnavailableError
from tests.bed.fleet import Fleet
from tests.e2e import operators
from tests.e2e.operator_pods import OperatorPods
from tests.e2e.operators import RELEASE, AnyOperator, Operator
from tests.e2e.pasts import FORESEEN, write_past
from tests.e2e.worlds import SYSTEM_NAMESPACE, World

SCALE_TARGETS = [
    {"apiGroup": "apps", "resource": "deployments"},
    {"apiGroup": "apps", "resource": "statefulsets"},
    {"apiGroup": "argoproj.io", "resource": "rollouts"},
    {"apiGroup": "bench.agentscaler.dev", "resource": "crews"},
]
CHART = Path(__file__).parents[2] / "helm" / "agentscaler"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Start a cluster with a Prometheus, and take it down at the end."""
    path = tmp_path_factory.mktemp("past") / "load.om"
    write_past(path)
    try:
        bed = Bed.up(BedConfig(history=path))
    except UnavailableError as exc:
        pytest.skip(str(exc))  # it names what this machine lacks, such as a container engine
    with bed:
        yield bed


@pytest.fixture
def own_cluster() -> Iterator[Bed]:
    """Start a cluster for one test, which may install, upgrade and remove what it likes."""
    if BedConfig().cluster != "local":
        pytest.skip("on this cluster there is one release, that of all tests")
    with Bed.up() as bed:
        yield bed


@pytest.fixture(scope="session")
def installed(cluster: Bed) -> Iterator[Bed]:
    """Install the chart: with its pods where they are real, else with its CRD and rights alone."""
    install(cluster)
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    yield cluster
    cluster.helm("uninstall", RELEASE, "--namespace", SYSTEM_NAMESPACE)
    cluster.kubectl("delete", "crd", "agentscalingpolicies.agentscaler.dev", "--wait=true")
    cluster.kubectl("delete", "namespace", SYSTEM_NAMESPACE, "--wait=false")


@pytest.fixture(scope="session")
def fleet(installed: Bed) -> Iterator[Fleet]:
    """Play the agents of all worlds."""
    with Fleet.up(installed) as playing:
        yield playing


def install(bed: Bed) -> None:
    """Install the chart; it takes over a CRD that is there already."""
    bed.helm(
        "install", RELEASE, str(CHART), "--namespace", SYSTEM_NAMESPACE, "--create-namespace",
        "--take-ownership", "--set", values_of(bed), *(["--wait"] if bed.inside else []),
        "--set-json", f"scaleTargets={json.dumps(SCALE_TARGETS)}",
        timeout=180,
    )  # fmt: skip


def values_of(bed: Bed) -> str:
    """Give the chart's values for a bed."""
    values = f"drain.enabled=true,prometheus.url={bed.prometheus_url}"
    if not bed.inside:
        return f"replicas=0,{values}"
    repository, _, tag = images.IMAGE.rpartition(":")
    # Of two processors in a kind node half is taken by its own programs.
    return f"image.repository={repository},image.tag={tag},resources.requests.cpu=50m,{values}"


@pytest.fixture(scope="session")
def operator(installed: Bed) -> Iterator[AnyOperator]:
    """Run the operator for all worlds."""
    with operators.run(installed) as running:
        yield running


@pytest.fixture(scope="session")
def process(operator: AnyOperator) -> Operator:
    """Give the operator where it is a process that a test may stop, freeze and have a second of."""
    if isinstance(operator, OperatorPods):
        pytest.skip("here the operator is two pods: test_operator_in_pods.py has them fail")
    return operator


@pytest.fixture(scope="session")
def pods(operator: AnyOperator) -> OperatorPods:
    """Give the operator where it runs in its pods."""
    if isinstance(operator, Operator):
        pytest.skip("here pods are simulated: CLUSTER=kind has real ones")
    return operator


@pytest.fixture(scope="session")
def control_plane(cluster: Bed) -> Bed:
    """Give the bed where the control plane is its own, to be killed and started again."""
    if cluster.inside:
        pytest.skip("this cluster's control plane is not the suite's to kill")
    return cluster


@pytest.fixture
def attend(operator: AnyOperator) -> Iterator[Callable[[], None]]:
    """Have the operator run, whatever the last test left; give what to do for it while waiting.

    Where it runs in pods, their kubelet does that.
    """
    if isinstance(operator, OperatorPods):
        yield lambda: None
        return
    operator.attend()
    operator.start()
    yield operator.attend
    operator.attend()


@pytest.fixture
def world(installed: Bed, fleet: Fleet, attend: Callable[[], None]) -> Iterator[World]:
    """Give a namespace of its own, with the operator running."""
    made = World(installed, fleet, attend=attend)
    yield made
    made.close()


@pytest.fixture
def foreseeing(installed: Bed, fleet: Fleet, attend: Callable[[], None]) -> Iterator[World]:
    """Give the namespace whose agent was busy at this time yesterday."""
    made = World(installed, fleet, FORESEEN, attend=attend)
    yield made
    installed.kubectl("delete", "namespace", FORESEEN, "--wait=true")
