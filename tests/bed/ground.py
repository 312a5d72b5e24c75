"""The ground a bed stands on: its folder, its ports and the lifeline of its processes."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bed import builds
from tests.bed.lifeline import Lifeline
from tests.bed.ports import Ports
from tests.bed.processes import Program
from tests.bed.tools import Tool


class Ground:
    """One folder that holds every file of a bed, removed with it."""

    def __init__(self) -> None:
        self.lifeline = Lifeline()
        self.ports = Ports()
        self.work = Path(tempfile.mkdtemp(prefix="agentscaler-bed-"))
        self.lifeline.note_path(self.work)
        self.kubeconfig = self.work / "kubeconfig"

    def folder(self, name: str) -> Path:
        """Return a folder of the ground, made when it is not there."""
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        return folder

    def log(self, program: str) -> Path:
        """Return where a program's output goes."""
        return self.folder("logs") / f"{program}.log"

    def program(self, name: str, arguments: Sequence[str], *, ready: Callable[[], bool]) -> Program:
        """Prepare a program of the cache; it is not started yet."""
        return Program(
            name,
            [builds.locate(name), *arguments],
            log=self.log(name),
            ready=ready,
            lifeline=self.lifeline,
        )

    def tool(self, name: str) -> Tool:
        """Prepare a program of the cache that is run once per call."""
        return Tool(builds.locate(name), os.environ | self.environment())

    def environment(self) -> dict[str, str]:
        """Point kubectl and helm to this bed, and keep their caches inside it."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.work / "kubectl"),
            "HELM_CACHE_HOME": str(self.work / "helm" / "cache"),
            "HELM_CONFIG_HOME": str(self.work / "helm" / "config"),
            "HELM_DATA_HOME": str(self.work / "helm" / "data"),
        }

    def clear(self) -> None:
        """End every process, remove the folder and give back the ports."""
        try:
            self.lifeline.close()
        finally:
            self.ports.release()
