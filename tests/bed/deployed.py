"""A program in pods, run by a Deployment: it is started and ended by its number of replicas."""

import json

from tests.bed.processes import wait_until
from tests.bed.tools import Tool

END_SECONDS = 90


class Deployed:
    """Stands where a `Program` does for a bed whose programs are pods."""

    pid: int | None = None  # not of this machine

    def __init__(self, kubectl: Tool, namespace: str, name: str, selector: str, count: int) -> None:
        self.name = name
        self._kubectl = kubectl
        self._namespace = f"--namespace={namespace}"
        self._selector = f"--selector={selector}"
        self._count = count

    def start(self) -> None:
        """Ask for its pods; nothing happens when they are there."""
        self._scale(self._count)

    def wait_ready(self, within: float = 120) -> None:
        """Wait until all its pods are ready."""
        self._kubectl(
            *("rollout", "status", f"deployment/{self.name}", self._namespace),
            f"--timeout={within:g}s",
            timeout=within + 10,
        )

    def stop(self) -> None:
        """Have its pods end in their own time, and wait for it."""
        self._scale(0)
        self._wait_gone()

    def kill(self) -> None:
        """Have its pods end at once."""
        self._scale(0)
        self._kubectl(
            "delete", "pod", self._namespace, self._selector, "--grace-period=0", "--force"
        )
        self._wait_gone()

    def pods(self) -> list[str]:
        """Name its pods that are not on their way out, the oldest first."""
        listed = self._kubectl("get", "pods", self._namespace, self._selector, "--output=json")
        found = [each["metadata"] for each in json.loads(listed)["items"]]
        found.sort(key=lambda pod: str(pod["creationTimestamp"]))
        return [pod["name"] for pod in found if "deletionTimestamp" not in pod]

    def text(self) -> str:
        """Return what its pods have written."""
        return self._kubectl("logs", self._namespace, self._selector, "--tail=-1", "--prefix")

    def _scale(self, count: int) -> None:
        self._kubectl("scale", "deployment", self.name, self._namespace, f"--replicas={count}")

    def _wait_gone(self) -> None:
        wait_until(
            lambda: (
                not self._kubectl("get", "pods", self._namespace, self._selector, "--output=name")
            ),
            within=END_SECONDS,
            what=f"the end of the pods of {self.name}",
        )
