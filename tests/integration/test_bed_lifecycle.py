"""The bed on the real thing: it starts, does what a cluster does, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.bed import Bed, BedConfig, state
from tests.bed.lifeline import Lifeline
from tests.bed.processes import wait_until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
LOCAL = BedConfig(cluster="local")


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Bed.up(LOCAL) as up:
        yield up


def deploy(
    bed: Bed, name: str, *, replicas: int, annotations: dict[str, str] | None = None
) -> None:
    """Apply a Deployment whose containers are never pulled: its pods are simulated."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "agent", "image": "agent"}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": spec,
    }
    bed.kubectl("apply", "-f", "-", stdin=json.dumps(deployment))


def pods(bed: Bed, app: str) -> list[str]:
    return bed.kubectl("get", "pods", f"-l=app={app}", "-o=name").split()


def ready_replicas(bed: Bed, name: str) -> int:
    return int(bed.kubectl("get", "deploy", name, "-o=jsonpath={.status.readyReplicas}") or 0)


def test_deployment_becomes_ready_and_its_scale_can_be_patched(bed: Bed) -> None:
    deploy(bed, "research", replicas=1)
    bed.kubectl("rollout", "status", "deploy/research", "--timeout=30s")

    patch = json.dumps({"spec": {"replicas": 3}})
    bed.kubectl("patch", "deploy", "research", "--subresource=scale", "--type=merge", f"-p={patch}")
    bed.kubectl("rollout", "status", "deploy/research", "--timeout=30s")

    scale = json.loads(
        bed.kubectl("get", "--raw=/apis/apps/v1/namespaces/default/deployments/research/scale")
    )
    assert scale["status"]["replicas"] == ready_replicas(bed, "research") == 3


def test_scaling_down_spares_the_pods_with_the_higher_deletion_cost(bed: Bed) -> None:
    deploy(bed, "costly", replicas=4)
    bed.kubectl("rollout", "status", "deploy/costly", "--timeout=30s")
    busy = sorted(pods(bed, "costly"))[1:3]
    bed.kubectl("annotate", *busy, "controller.kubernetes.io/pod-deletion-cost=100")

    bed.kubectl("scale", "deploy/costly", "--replicas=2")

    wait_until(lambda: len(pods(bed, "costly")) == 2, within=60, what="the end of two pods")
    assert sorted(pods(bed, "costly")) == busy


def test_a_pod_chooses_how_long_it_takes_to_start(bed: Bed) -> None:
    deploy(bed, "eager", replicas=1)
    deploy(
        bed,
        "slow",
        replicas=1,
        annotations={
            "bed.agentscaler.dev/start-delay": "30s",
            "bed.agentscaler.dev/start-delay-max": "60s",
        },
    )
    wait_until(lambda: ready_replicas(bed, "eager") == 1, within=60, what="the eager pod's start")
    phase = bed.kubectl("get", "pods", "-l=app=slow", "-o=jsonpath={.items[*].status.phase}")
    assert (phase, ready_replicas(bed, "slow")) == ("Pending", 0)


def test_objects_survive_a_crash_of_the_api_server(bed: Bed) -> None:
    bed.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    for program in ("kube-apiserver", "etcd"):
        bed.kill(program)
    for program in ("etcd", "kube-apiserver"):
        bed.start(program)
    assert bed.kubectl("get", "configmap", "kept", "-o=jsonpath={.data.a}") == "b"


def test_two_beds_know_nothing_of_each_other(bed: Bed) -> None:
    with Bed.up(LOCAL) as other:
        other.kubectl("create", "namespace", "only-there")
        here, there = (each.kubectl("get", "namespaces", "-o=name") for each in (bed, other))
        assert "only-there" in there
        assert "only-there" not in here
    assert "default" in bed.kubectl("get", "namespaces", "-o=name")


def test_down_ends_every_process_and_removes_the_folder() -> None:
    with Bed.up(LOCAL) as bed:
        running = [psutil.Process(each.pid) for each in bed.programs.values()]
        bed.kubectl("get", "pods")
    assert not any(process.is_running() for process in running)
    assert not bed.work.exists()


@contextlib.contextmanager
def command_line(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the bed's command line as a shell would, and end it with the test."""
    lifeline = Lifeline()
    # What runs in the background of a script ignores Ctrl-C, and hands that on.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(lifeline):
        try:
            yield lifeline.spawn(
                [sys.executable, "-m", "tests.bed", *words], log=Path(folder, "log"), cwd=ROOT
            )
        finally:
            signal.signal(signal.SIGINT, inherited)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def commands(processes: list[psutil.Process]) -> set[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return {process.name() for process in processes}
    return set()


def test_killed_owner_leaves_no_process_and_no_file() -> None:
    name = f"killed-{os.getpid()}"
    with command_line("up", "--cluster=local", f"--name={name}") as owner:
        wait_until(lambda: state.read(name) is not None, within=120, what="readiness of the bed")
        up = state.read(name)
        assert up
        children = family(owner)
        assert {"etcd", "kube-apiserver", "prometheus"} <= commands(children)

        owner.send_signal(signal.SIGKILL)
        owner.wait()

        gone, alive = psutil.wait_procs(children, timeout=60)
        assert (len(gone), alive) == (len(children), [])
        assert not Path(up.work).exists()
        assert not state.path_of(name).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_start_leaves_no_process_and_no_file(number: signal.Signals) -> None:
    with command_line("up", "--cluster=local", f"--name=early-{os.getpid()}") as owner:
        wait_until(
            lambda: "kube-apiserver" in commands(family(owner)), within=60, what="a half start"
        )
        children = family(owner)
        folders = {Path(process.cwd()).parent for process in children if process.name() == "etcd"}

        owner.send_signal(number)
        owner.wait(timeout=60)

        gone, alive = psutil.wait_procs(children, timeout=60)
        assert (len(gone), alive) == (len(children), [])
        assert folders
        assert not any(folder.exists() for folder in folders)


def test_detached_bed_is_found_used_and_taken_down_by_name() -> None:
    name = f"detached-{os.getpid()}"

    def run(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tests.bed", *words],
            cwd=ROOT,
            check=True,
            text=True,
            capture_output=True,
        ).stdout

    exported = run("up", "--detach", "--cluster=local", f"--name={name}")
    try:
        assert run("env", f"--name={name}") == exported
        assert f"{name}: local cluster" in run("status")
        nodes = subprocess.run(
            ["sh", "-c", f"{exported}\nkubectl get nodes -o name"],
            check=True,
            text=True,
            capture_output=True,
        ).stdout
        assert len(nodes.split()) == LOCAL.nodes
    finally:
        run("down", f"--name={name}")
    assert name not in run("status")
