"""Every command of docs/operating.md, typed in the order of the page on a cluster of its own."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.bed import Bed, builds
from tests.bed.companion import Companion
from tests.bed.ports import LOOPBACK
from tests.e2e.manual import Command, Reader, begins_alike, commands

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operating.md"

# Spoken of, not to be typed: no object, or what the operator says.
NAMED = {
    "agentscaler lint",
    "helm install --take-ownership",
    "helm template",
    "helm uninstall",
    "helm upgrade",
    "helm upgrade --reuse-values",
    "kubectl delete pod",
    "kubectl rollout status",
    "kubectl set spec.replicas to 2 where 7 had been decided.",
}
# Seen with a webhook that refuses, in test_policies_are_judged_when_applied.py.
ELSEWHERE = {"kubectl create --filename policy.yaml"}
# Takes all policies away, so that the rest of the page would have nothing to show.
LAST = "kubectl delete crd "
OPERATOR = "agentscaler run --kubeconfig "


def to_type() -> list[Command]:
    """Give the commands of the page, what destroys at the end."""
    every = [each for each in commands(PAGE) if each.line not in NAMED | ELSEWHERE]
    return sorted(every, key=lambda each: each.line.startswith(LAST))


def environment(bed: Bed) -> dict[str, str]:
    places = [
        Path(sys.executable).parent,
        *(builds.locate(each).parent for each in ("kubectl", "helm")),
    ]
    path = os.pathsep.join([*map(str, places), os.environ["PATH"]])
    return {**os.environ, **bed.environment(), "PATH": path}


def operator(bed: Bed, line: str, reader: Reader) -> Companion:
    """Prepare the operator as the page starts it, as a part of the release that it installs."""
    words = shlex.split(reader.fill(line).replace(f"{LOOPBACK}:0", f"{LOOPBACK}:{{port}}"))
    program = str(Path(sys.executable).with_name(words[0]))
    argv = [program, *words[1:], "--lease-namespace=agentscaler-system"]
    return Companion("typed", bed, argv, probe="/readyz")


@pytest.mark.timeout(400)
def test_each_command_of_the_page_does_what_the_page_shows(own_cluster: Bed) -> None:
    own = {
        "~/.kube/config": str(own_cluster.kubeconfig),
        "http://127.0.0.1:9090": own_cluster.prometheus_url,
        " NAME": " research-agent",
        " FILE": " examples/quickstart/policy.yaml",
    }
    own_cluster.kubectl("create", "namespace", "agents")
    own_cluster.kubectl("config", "set-context", "--current", "--namespace=agents")
    install, *rest = to_type()
    run = next(each for each in rest if each.line.startswith(OPERATOR))
    rest.remove(run)
    Reader(ROOT, environment(own_cluster), own).type(install)
    with operator(own_cluster, run.line, Reader(ROOT, {}, own)) as running:
        reader = Reader(ROOT, environment(own_cluster), {**own, "127.0.0.1:8080": running.address})
        for command in rest:
            printed = reader.type(command)
            assert begins_alike(command.shown, printed), (command, printed)
