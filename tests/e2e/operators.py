"""The operator as a process, with the rights of the chart's ServiceAccount.

On a cluster of real pods it runs in those: see `operator_pods`.
"""

import json
import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.bed import Bed, BedError
from tests.bed.companion import Companion
from tests.bed.ports import LOOPBACK
from tests.bed.processes import TAIL_LINES, wait_until
from tests.e2e.operator_pods import OperatorPods, value_on
from tests.e2e.worlds import SYSTEM_NAMESPACE

RELEASE = "agentscaler"
VALIDITY = "4h"
# How a leader ends whose API server had no time for it, and nobody else's doing.
STARVED = ("could not be renewed for", "another replica may be writing")


class Operator:
    """One operator; a context manager that ends it gracefully."""

    def __init__(self, bed: Bed, name: str = "operator", *options: str) -> None:
        container = _chart_container(bed)
        arguments = [each for each in container["args"] if not each.startswith("--listen")]
        self._companion = Companion(
            name,
            bed,
            [
                str(Path(sys.executable).with_name("agentscaler")),
                *("run", *arguments, *options),
                *(f"--kubeconfig={kubeconfig(bed)}", f"--listen={LOOPBACK}:{{port}}"),
            ],
            probe="/readyz",
            environment=_memory_settings(container),
        )
        self.log = bed.work / "logs" / f"{name}.log"
        self._is_to_run = False
        self._log_began = 0

    def __enter__(self) -> "Operator":
        self._begin()
        self._companion.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it and give back its port."""
        self._is_to_run = False
        self._companion.down()

    def launch(self) -> None:
        """Start it without waiting until it is ready."""
        self._begin()
        self._companion.program.start()

    @property
    def pid(self) -> int:
        """The number of the running process."""
        pid = self._companion.program.pid
        assert pid is not None
        return pid

    @property
    def address(self) -> str:
        """Host and port of its pages."""
        return self._companion.address

    @property
    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self._companion.program.pid is not None

    def kill(self) -> None:
        """End it without a warning."""
        self._is_to_run = False
        self._companion.program.kill()

    def terminate(self) -> None:
        """Ask it to end, and wait."""
        self._is_to_run = False
        self._companion.program.stop()

    def start(self) -> None:
        """Start it again, on the same port; only wait until it is ready where it runs."""
        self.launch()
        self._companion.program.wait_ready()

    def attend(self) -> None:
        """Start it again as a kubelet would, if it ended for want of an API server's time.

        Fails with the end of its log if it ended otherwise, but for what a test does to it.
        """
        if self.is_running or not self._is_to_run:
            return
        if not self.was_starved():
            self._is_to_run = False  # told once
            words = "\n".join(self._words()[-TAIL_LINES:]) or "it said nothing"
            raise BedError(f"the operator ended by itself:\n{words}")
        self.launch()

    def until_ended(self, within: float) -> None:
        """Wait until it ends by itself, as it should; it is the test's to start it again."""
        self._is_to_run = False
        wait_until(lambda: not self.is_running, within=within, what="the end of the operator")

    def was_starved(self) -> bool:
        """Tell whether its last words are those of a leader whose API server had no time for it."""
        words = [line for line in self._words() if line.startswith("agentscaler: ")]
        return any(each in line for line in words[-1:] for each in STARVED)

    def _words(self) -> list[str]:
        """Give what it has logged since it was started last."""
        log = self.log.read_bytes()[self._log_began :]
        return log.decode(errors="replace").splitlines()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def metric(self, name: str, **labels: str) -> float:
        """Read one of its metrics; 0 where there is no such series."""
        return value_on(self.page(), name, **labels)

    def page(self) -> str:
        """Read its metrics page."""
        with urllib.request.urlopen(f"http://{self._companion.address}/metrics") as answer:
            text: str = answer.read().decode()
            return text

    def _begin(self) -> None:
        if not self.is_running:
            self._log_began = self.log.stat().st_size if self.log.exists() else 0
        self._is_to_run = True


AnyOperator = Operator | OperatorPods


def run(bed: Bed) -> AnyOperator:
    """Run the operator: as a process, or in its own pods where those are real."""
    return OperatorPods(bed, RELEASE) if bed.inside else Operator(bed)


def _chart_container(bed: Bed) -> dict[str, Any]:
    found = bed.kubectl(
        "get", "deployment", RELEASE, f"--namespace={SYSTEM_NAMESPACE}", "--output=json"
    )
    pod = json.loads(found)["spec"]["template"]["spec"]
    container: dict[str, Any] = pod["containers"][0]
    return container


def _memory_settings(container: dict[str, Any]) -> dict[str, str]:
    """Take over what decides about memory: the rest of the environment is about being in a pod."""
    settings = container["env"]
    return {each["name"]: each["value"] for each in settings if each["name"].startswith("MALLOC_")}


def kubeconfig(bed: Bed) -> Path:
    """Write a kubeconfig that holds nothing but a token of the chart's ServiceAccount."""
    path = bed.work / "operator.kubeconfig"
    if not path.exists():
        token = bed.kubectl(
            *("create", "token", RELEASE),
            *(f"--namespace={SYSTEM_NAMESPACE}", f"--duration={VALIDITY}"),
        )
        config = json.loads(bed.kubectl("config", "view", "--raw", "--minify", "--output=json"))
        config["users"] = [{"name": RELEASE, "user": {"token": token.strip()}}]
        for context in config["contexts"]:
            context["context"]["user"] = RELEASE
        path.write_text(json.dumps(config))
    return path
