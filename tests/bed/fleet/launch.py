"""A fleet as tests and the demo use it: a process beside a bed or in it, turned by method calls."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.bed.bed import Bed
from tests.bed.companion import Companion
from tests.bed.deployed import Deployed
from tests.bed.errors import BedError
from tests.bed.fleet.config import AgentConfig, FleetConfig, Load, Shown
from tests.bed.manifests import FLEET, FLEET_PORT

ROOT = Path(__file__).parents[3]
JOB = "fleet"
# Free of the port, so that history written before the fleet runs is of the same series.
SCRAPE_LABELS = {"job": JOB, "instance": JOB}
PINNED = float | str | None


class Fleet:
    """A running fleet whose page the bed's Prometheus scrapes; a context manager."""

    def __init__(self, bed: Bed, config: FleetConfig) -> None:
        """Prepare; `Fleet.up` is the way to get one that runs."""
        self._bed = bed
        self._http = requests.Session()
        self._http.trust_env = False
        self._process: Companion | Deployed
        if bed.inside:
            self._process = bed.inside.fleet
            self._url = bed.inside.reach("services", FLEET, FLEET_PORT)
        else:
            written = bed.work / "fleet.json"
            written.write_text(config.model_dump_json())
            self._process = Companion("fleet", bed, _argv(bed, written), probe="/metrics")
            self._url = f"http://{self._process.address}"

    @classmethod
    def up(cls, bed: Bed, config: FleetConfig | None = None) -> Self:
        """Start a fleet, and return when its page is there and will be scraped."""
        config = config or FleetConfig()
        fleet = cls(bed, config)
        if isinstance(fleet._process, Companion):
            fleet._process.__enter__()
            bed.scrape(JOB, fleet._process.address, labels={"instance": JOB})
        else:  # it came with the bed, and its Prometheus scrapes it
            for agent in config.agents:
                fleet.put(agent)
        return fleet

    def down(self) -> None:
        """End the process; its page is scraped no more. In a bed's pods it ends with the bed."""
        self._http.close()
        if isinstance(self._process, Companion):
            self._bed.unscrape(JOB)
            self._process.down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def put(self, agent: AgentConfig) -> None:
        """Play an agent from now on; it replaces one of the same name."""
        self._ask("PUT", "/agents", agent.model_dump(mode="json"))

    def remove(self, namespace: str, name: str) -> None:
        """Play an agent no more; its series end."""
        self._ask("DELETE", f"/agents/{namespace}/{name}")

    def load(self, namespace: str, name: str, load: Load) -> None:
        """Give an agent another load from now on; what waits, waits on."""
        self._change(namespace, name, load=load.model_dump(mode="json"))

    def ratios(
        self,
        namespace: str,
        name: str,
        *,
        errors: float | None = None,
        rate_limited: float | None = None,
    ) -> None:
        """Let a share of the requests fail, or of the calls to the provider be refused."""
        self._change(namespace, name, error_ratio=errors, rate_limited_ratio=rate_limited)

    def pin(self, namespace: str, name: str, **pins: PINNED) -> None:
        """Show other values than the true ones: a number, "NaN", "absent", or None to unpin.

        By metric: `pin("agents", "a", agent_queue_depth=40)`; what pods export, per pod.
        """
        self._change(namespace, name, pins=pins)

    def show(self, shown: Shown, namespace: str = "", name: str = "") -> None:
        """Show the page, or one agent's part of it, `live`, `frozen` or `absent`."""
        if name:
            self._change(namespace, name, shown=shown)
        else:
            self._ask("POST", "/page", {"shown": shown})

    def gauge(self, name: str, value: float | str | None, **labels: str) -> None:
        """Show a custom series; None ends it."""
        self._ask("POST", "/gauge", {"name": name, "value": value, "labels": labels})

    def mark(self) -> None:
        """Let all figures begin now."""
        self._ask("POST", "/mark")

    def figures(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Give sums and states by namespace and name."""
        found = self._ask("GET", "/figures").json()
        return {(each["namespace"], each["agent"]): each for each in found}

    def log(self) -> str:
        """Return all that the process has written."""
        process = self._process
        return (process.program if isinstance(process, Companion) else process).text()

    def _change(self, namespace: str, name: str, **change: Any) -> None:
        self._ask("PATCH", f"/agents/{namespace}/{name}", change)

    def _ask(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None
    ) -> requests.Response:
        answer = self._http.request(verb, f"{self._url}{path}", json=body, timeout=10)
        if not answer.ok:
            raise BedError(f"the fleet refused {verb} {path}: {answer.text}")
        return answer


def _argv(bed: Bed, config: Path) -> list[str | Path]:
    env = shutil.which("env")
    assert env
    return [
        *(env, f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.bed.fleet"),
        *("--kubeconfig", bed.kubeconfig, "--config", config, "--port", "{port}"),
    ]
