"""A kind cluster: used when one of its name is there, else created and later deleted."""

import os
import shutil
from pathlib import Path

from tests.bed.errors import BedError, UnavailableError
from tests.bed.ground import Ground
from tests.bed.processes import Program
from tests.bed.tools import Tool

CREATE_SECONDS = 300


class KindCluster:
    """kind finds its engine itself (KIND_EXPERIMENTAL_PROVIDER and its own rules).

    KIND_CLUSTER_NAME names a cluster to use or create, KIND_NODE_IMAGE the image of its nodes.
    """

    name = "kind"
    needs = ()
    programs: dict[str, Program]

    def __init__(self, ground: Ground) -> None:
        self.programs = {}
        self._ground = ground
        self._cluster = os.environ.get("KIND_CLUSTER_NAME") or ground.work.name
        self._kind = Tool(Path(shutil.which("kind") or "kind"), os.environ)

    def check(self) -> None:
        """Fail when kind or its container engine is not there."""
        if not shutil.which("kind"):
            raise UnavailableError("kind is not on PATH")
        try:
            self._kind("get", "clusters")
        except BedError as exc:
            raise UnavailableError("kind finds no container engine") from exc

    def up(self) -> None:
        """Create the cluster unless it is there, and write its kubeconfig."""
        if self._cluster not in self._kind("get", "clusters").split():
            self._create()
        self._kind(
            "export",
            "kubeconfig",
            f"--name={self._cluster}",
            f"--kubeconfig={self._ground.kubeconfig}",
        )

    def _create(self) -> None:
        delete = (self._kind.program, "delete", "cluster", f"--name={self._cluster}")
        self._ground.lifeline.note_command(*delete)  # before: half of one must go, too
        image = os.environ.get("KIND_NODE_IMAGE")
        self._kind(
            "create",
            "cluster",
            f"--name={self._cluster}",
            f"--kubeconfig={self._ground.kubeconfig}",
            "--wait=120s",
            *([f"--image={image}"] if image else []),
            timeout=CREATE_SECONDS,
        )
