"""Pods come and go by EndpointSlices on a real API server, under load: nothing fails or doubles."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Self

import pytest
import requests

from tests.bed import Bed
from tests.bed.processes import wait_until
from tests.e2e.gateways import InstalledGateway
from tests.e2e.listed_agents import ListedAgent, endpoint_slice
from tests.e2e.worlds import World

pytestmark = pytest.mark.e2e

CLIENTS = 8


class Load:
    """Clients that ask one after the other until they are told to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]
        self.answers: dict[str, int] = {}
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self._stop.is_set():
                name = str(next(self._numbers))
                answer = session.post(
                    self._url, headers={"X-Id": name}, data=b"question", timeout=60
                )
                self.answers[name] = answer.status_code

    def more(self, count: int) -> None:
        """Wait until so many more were answered."""
        until = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= until, within=60, what=f"{count} more answers")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Pods:
    """Agents, as the slices of one Service tell of them."""

    def __init__(self, world: World, gateway: InstalledGateway) -> None:
        self._world, self._gateway = world, gateway
        self.serving: list[ListedAgent] = []
        self.all: list[ListedAgent] = []

    def come(self, count: int) -> None:
        for agent in [ListedAgent() for _ in range(count)]:
            self._world.apply(endpoint_slice("busy", agent))
            self.serving.append(agent)
            self.all.append(agent)
        self._until_known()

    def go(self, agents: Sequence[ListedAgent]) -> None:
        """Leave the list first and end then, as a pod with a preStop pause does."""
        for agent in agents:
            self._world.kubectl("delete", "endpointslice", f"busy-{agent.port}")
            self.serving.remove(agent)
        self._until_known()
        for agent in agents:
            agent.stop()

    def close(self) -> None:
        for agent in self.serving:
            agent.stop()

    def done(self) -> Counter[str]:
        return sum((agent.done for agent in self.all), Counter[str]())

    def _until_known(self) -> None:
        expected = {agent.address for agent in self.serving}
        wait_until(
            lambda: self._gateway.backends() == expected, within=60, what="the gateway's new list"
        )


@pytest.fixture(scope="module")
def busy(installed: Bed) -> Iterator[World]:
    bare = World(installed, None)  # type: ignore[arg-type]
    yield bare
    bare.close()


@pytest.fixture(scope="module")
def pods(installed: Bed, busy: World) -> Iterator[tuple[Pods, str]]:
    service = {"name": "busy", "namespace": busy.namespace, "port": "http"}
    route = {"agent": "busy", "backends": {"service": service}, "capacity": 4, "slowStart": "1s"}
    with InstalledGateway(installed, route) as gateway:
        fleet = Pods(busy, gateway)
        yield fleet, gateway.url
        fleet.close()


def test_one_to_ten_to_one_and_a_rolling_restart_lose_and_double_nothing(
    pods: tuple[Pods, str],
) -> None:
    fleet, url = pods
    fleet.come(1)
    with Load(url) as load:
        load.more(50)
        fleet.come(9)
        load.more(300)
        fleet.go(fleet.serving[3:])
        load.more(50)
        for old in list(fleet.serving):  # one more first, then one less: a rolling restart
            fleet.come(1)
            load.more(50)
            fleet.go([old])
            load.more(50)
        fleet.go(fleet.serving[1:])
        load.more(50)
    assert set(load.answers.values()) == {200}
    assert fleet.done() == Counter(load.answers.keys())
    assert all(agent.done for agent in fleet.all)
