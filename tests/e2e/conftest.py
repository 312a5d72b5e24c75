"""The cluster that all end-to-end tests share: a bed with the chart installed.

Each test makes its own namespace; nothing else may be left behind, for the bed is one for all.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed import Bed, BedConfig
from tests.bed.fleet import Fleet
from tests.e2e.operators import RELEASE, Operator
from tests.e2e.pasts import FORESEEN, write_past
from tests.e2e.worlds import SYSTEM_NAMESPACE, World

CHART = Path(__file__).parents[2] / "helm" / "agentscaler"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Start a cluster with a Prometheus, and take it down at the end."""
    path = tmp_path_factory.mktemp("past") / "load.om"
    write_past(path)
    with Bed.up(BedConfig(history=path)) as bed:
        yield bed


@pytest.fixture(scope="session")
def installed(cluster: Bed) -> Iterator[Bed]:
    """Install the chart without replicas: the CRD and the rights, while tests run the operator.

    It takes over a CRD that a test has applied by itself before.
    """
    cluster.helm(
        "install", RELEASE, str(CHART), "--namespace", SYSTEM_NAMESPACE, "--create-namespace",
        "--take-ownership",
        "--set", f"replicas=0,drain.enabled=true,prometheus.url={cluster.prometheus_url}",
    )  # fmt: skip
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


@pytest.fixture(scope="session")
def operator(installed: Bed) -> Iterator[Operator]:
    """Run the operator for all worlds."""
    with Operator(installed) as running:
        yield running


@pytest.fixture
def world(installed: Bed, fleet: Fleet, operator: Operator) -> Iterator[World]:
    """Give a namespace of its own, with the operator running."""
    made = World(installed, fleet)
    yield made
    made.close()


@pytest.fixture
def foreseeing(installed: Bed, fleet: Fleet, operator: Operator) -> Iterator[World]:
    """Give the namespace whose agent was busy at this time yesterday."""
    made = World(installed, fleet, FORESEEN)
    yield made
    installed.kubectl("delete", "namespace", FORESEEN, "--wait=true")
