"""The cluster of the current kubeconfig: used as it is, never created, never deleted."""

from tests.bed.errors import BedError, UnavailableError
from tests.bed.ground import Ground
from tests.bed.processes import Program
from tests.bed.tools import Tool

CRD = "agentscalingpolicies.agentscaler.dev"


class CurrentCluster:
    """Whatever cluster kubectl talks to; only what a suite applies is added, in own namespaces.

    A cluster where agentscaler is installed is refused: the suite ends by removing the CRD, and
    with it every policy.
    """

    name = "current"
    needs = ()
    programs: dict[str, Program]

    def __init__(self, ground: Ground, kubectl: Tool) -> None:
        self.programs = {}
        self._ground = ground
        self._kubectl = kubectl

    def check(self) -> None:
        """Fail when there is no cluster that answers, or one that must not be touched."""
        try:
            self._kubectl("get", "--raw=/readyz", "--request-timeout=5s")
        except BedError as exc:
            raise UnavailableError("no current cluster answers") from exc
        if self._kubectl("get", "crd", CRD, "--ignore-not-found", "--output=name"):
            raise UnavailableError("agentscaler is installed in the current cluster already")

    def up(self) -> None:
        """Copy the kubeconfig, so that a later change of context cannot move the suite."""
        text = self._kubectl("config", "view", "--raw", "--flatten", "--minify")
        self._ground.kubeconfig.touch(mode=0o600)
        self._ground.kubeconfig.write_text(text)
