"""What runs beside the demo's bed: the operator, and kubectl's proxy to the API server."""

import json
import sys
from pathlib import Path

from tests.bed import Bed
from tests.bed.companion import Companion

VALIDITY = "4h"


def operator(bed: Bed, *, namespace: str, account: str) -> Companion:
    """Prepare the operator, with no more rights than the chart gives its account."""
    kubeconfig = bed.work / "operator.kubeconfig"
    kubeconfig.write_text(_kubeconfig(bed, namespace, account))
    return Companion(
        "operator",
        bed,
        [
            *(Path(sys.executable).with_name("agentscaler"), "run"),
            *("--kubeconfig", kubeconfig),
            *("--prometheus-url", bed.prometheus_url),
            *("--namespace", namespace),
            *("--port", "{port}"),
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
