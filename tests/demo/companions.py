"""What runs beside the demo's bed: the operator, and kubectl's proxy to the API server."""

import json
import sys
from pathlib import Path

from tests.bed import Bed
from tests.bed.companion import Companion
from tests.bed.ports import LOOPBACK

VALIDITY = "4h"


def operator(bed: Bed, namespace: str, deployment: str) -> Companion:
    """Prepare the operator as its Deployment says, with the rights of its service account."""
    found = bed.kubectl(
        "get", "deployment", deployment, f"--namespace={namespace}", "--output=json"
    )
    pod = json.loads(found)["spec"]["template"]["spec"]
    kubeconfig = bed.work / "operator.kubeconfig"
    kubeconfig.write_text(_kubeconfig(bed, namespace, pod["serviceAccountName"]))
    of_chart = [each for each in pod["containers"][0]["args"] if not each.startswith("--listen")]
    return Companion(
        "operator",
        bed,
        [
            *(Path(sys.executable).with_name("agentscaler"), "run", *of_chart),
            *(f"--kubeconfig={kubeconfig}", f"--listen={LOOPBACK}:{{port}}"),
        ],
        probe="/readyz",
    )


def api_proxy(bed: Bed) -> Companion:
    """Prepare an open door to the API server on the loopback interface."""
    return Companion(
        "proxy",
        bed,
        [bed.kubectl.program, "proxy", f"--kubeconfig={bed.kubeconfig}", "--port={port}"],
        probe="/version",
    )


def _kubeconfig(bed: Bed, namespace: str, account: str) -> str:
    """Write a kubeconfig that holds nothing but a token of the account."""
    said = bed.kubectl(
        *("create", "token", account), f"--namespace={namespace}", f"--duration={VALIDITY}"
    )
    config = json.loads(bed.kubectl("config", "view", "--raw", "--minify", "--output=json"))
    config["users"] = [{"name": account, "user": {"token": said.strip()}}]
    for context in config["contexts"]:
        context["context"]["user"] = account
    return json.dumps(config)
