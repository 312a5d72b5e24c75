"""Gives each pod of the Deployment a real process, and lists it for the gateway while it serves.

A kubelet's part: a process is listed once pod and process are ready; when the pod is deleted it
leaves the list first and is then asked to end, and drains.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.bed import Bed
from tests.bed.fleet.pods import State, read_pod
from tests.bed.processes import Program, wait_until
from tests.demo.full.processes import AGENT, Processes, own_address

SERVICE = f"{AGENT}-processes"
LOOK_SECONDS = 0.5
DRAIN_SECONDS = 40.0


@dataclass
class Replica:
    """One process, from its start (a monotonic time) to its end."""

    program: Program
    address: str
    started: float
    listed: bool = False
    leaving: bool = False


class Following:
    """Follows the pods from a thread of its own; a context manager."""

    def __init__(
        self, bed: Bed, namespace: str, processes: Processes, environment: Mapping[str, str]
    ) -> None:
        self._bed = bed
        self._namespace = namespace
        self._processes = processes
        self._environment = {**environment, "POD_NAMESPACE": namespace}
        self._host = own_address()
        self._replicas: dict[str, Replica] = {}
        self._ended_seconds = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._leaving = ThreadPoolExecutor(8)
        self.failure: Exception | None = None

    def __enter__(self) -> "Following":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._leaving.shutdown()

    def serving(self) -> int:
        """Count the processes that the gateway may send requests to."""
        return sum(each.listed for each in list(self._replicas.values()))

    def replica_seconds(self) -> float:
        """Add up the lives of all processes until now, start and drain included."""
        now = time.monotonic()
        return self._ended_seconds + sum(now - each.started for each in self._running())

    def await_first(self) -> None:
        """Wait until one replica serves."""
        wait_until(
            lambda: self.serving() > 0 or self.failure is not None, within=60, what="an agent"
        )

    def _running(self) -> list[Replica]:
        return list(self._replicas.values())

    def _follow(self) -> None:
        try:
            while not self._stop.wait(LOOK_SECONDS):
                self._look()
        except Exception as exc:  # noqa: BLE001 - told by whoever waits for the replicas
            self.failure = exc

    def _look(self) -> None:
        pods = dict(self._pods())
        for name, state in pods.items():
            if name not in self._replicas and state is not State.DRAINING:
                self._begin(name)
        for name, replica in list(self._replicas.items()):
            state = pods.get(name, State.DRAINING)
            if state is State.DRAINING:
                self._end(name, replica)
            elif state is State.READY and not replica.listed and replica.program.is_ready():
                self._list(name, replica)

    def _begin(self, name: str) -> None:
        program, address = self._processes.agent(name, self._host, self._environment)
        program.start()
        self._replicas[name] = Replica(program, address, time.monotonic())

    def _list(self, name: str, replica: Replica) -> None:
        manifest = json.dumps(_slice(name, replica.address))
        self._bed.kubectl("apply", self._in_namespace, "--filename=-", stdin=manifest)
        self._bed.scrape(name, replica.address)
        replica.listed = True

    def _end(self, name: str, replica: Replica) -> None:
        """Take it off the list at once; its process may take as long as its requests do."""
        if replica.leaving:
            return
        replica.leaving, replica.listed = True, False
        self._bed.kubectl("delete", "endpointslice", name, self._in_namespace, "--ignore-not-found")
        self._leaving.submit(self._see_off, name, replica)

    def _see_off(self, name: str, replica: Replica) -> None:
        replica.program.stop(DRAIN_SECONDS)
        self._bed.unscrape(name)
        self._ended_seconds += time.monotonic() - replica.started
        del self._replicas[name]

    def _pods(self) -> Iterator[tuple[str, State]]:
        found = self._bed.kubectl("get", "pods", self._in_namespace, "--output=json")
        for body in json.loads(found)["items"]:
            seen = read_pod(body)
            if seen is not None and seen.agent == AGENT and seen.state is not None:
                yield seen.name, seen.state

    @property
    def _in_namespace(self) -> str:
        return f"--namespace={self._namespace}"


def _slice(name: str, address: str) -> dict[str, Any]:
    """Describe one agent: all endpoints of a slice share a port."""
    host, port = address.rsplit(":", 1)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": int(port)}],
    }
