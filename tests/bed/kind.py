"""A kind cluster: used when one of its name is there, else created and later deleted."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.bed import images
from tests.bed.errors import BedError, UnavailableError
from tests.bed.ground import Ground
from tests.bed.processes import Program
from tests.bed.tools import Tool

CREATE_SECONDS = 300
LOAD_SECONDS = 300
# Two workers: one can be frozen, and the operator's other replica is on the other.
ROLES = ("control-plane", "worker", "worker")


class KindCluster:
    """kind finds its engine itself (KIND_EXPERIMENTAL_PROVIDER and its own rules).

    What `make images` has built is loaded into its nodes. KIND_CLUSTER_NAME names a cluster to use
    or create, KIND_NODE_IMAGE the image of its nodes.
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
        """Create the cluster unless it is there, load the images, and write its kubeconfig."""
        archives = images.archives()
        if self._cluster not in self._kind("get", "clusters").split():
            self._create()
        self._kind(
            "export",
            "kubeconfig",
            f"--name={self._cluster}",
            f"--kubeconfig={self._ground.kubeconfig}",
        )
        for archive in archives:
            self._kind(
                *("load", "image-archive", archive, f"--name={self._cluster}"),
                timeout=LOAD_SECONDS,
            )

    def _create(self) -> None:
        delete = (self._kind.program, "delete", "cluster", f"--name={self._cluster}")
        self._ground.lifeline.note_command(*delete)  # before: half of one must go, too
        image = os.environ.get("KIND_NODE_IMAGE")
        layout = self._ground.work / "kind.yaml"
        nodes = [{"role": role} for role in ROLES]
        layout.write_text(
            yaml.safe_dump(
                {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}
            )
        )
        self._kind(
            "create",
            "cluster",
            f"--name={self._cluster}",
            f"--kubeconfig={self._ground.kubeconfig}",
            f"--config={layout}",
            "--wait=120s",
            *([f"--image={image}"] if image else []),
            timeout=CREATE_SECONDS,
        )


@contextlib.contextmanager
def frozen(node: str) -> Iterator[None]:
    """Stop everything on a node of a kind cluster for a while, as if its power were gone."""
    engine = os.environ.get("KIND_EXPERIMENTAL_PROVIDER") or "docker"
    container = Tool(Path(shutil.which(engine) or engine), os.environ)
    container("pause", node)
    try:
        yield
    finally:
        container("unpause", node)
