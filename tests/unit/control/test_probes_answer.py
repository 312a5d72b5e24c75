"""The operator's own page, as kubelet and Prometheus ask for it."""

import socket
from collections.abc import AsyncIterator, Collection, Iterator

import aiohttp
import pytest

from agentscaler.control import probes
from agentscaler.control.probes import Probes
from agentscaler.errors import UsageError

HOST = "127.0.0.1"


class Health:
    """What the page is told."""

    alive = ""
    ready = ""

    def pages(self) -> Probes:
        return Probes(alive=lambda: self.alive, ready=lambda: self.ready, metrics=self.metrics)

    def metrics(self, names: Collection[str]) -> Iterator[bytes]:
        return (f"{name} 1\n".encode() for name in names or ["up"])


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def address(health: Health) -> AsyncIterator[str]:
    runner = await probes.serve(health.pages(), HOST, 0)
    yield f"http://{HOST}:{probes.port_of(runner)}"
    await runner.cleanup()


async def ask(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


@pytest.mark.parametrize("page", ["livez", "readyz"])
async def test_page_says_ok_while_nothing_is_wrong(address: str, page: str) -> None:
    status, _, text = await ask(f"{address}/{page}")
    assert (status, text) == (200, "ok\n")


async def test_page_says_what_is_wrong(address: str, health: Health) -> None:
    health.alive, health.ready = "no pass began for 61s", "policies are not listed"
    assert (await ask(f"{address}/livez"))[::2] == (503, "no pass began for 61s\n")
    assert (await ask(f"{address}/readyz"))[::2] == (503, "policies are not listed\n")


async def test_metrics_are_plain_text(address: str) -> None:
    status, kind, text = await ask(f"{address}/metrics")
    assert (status, kind, text) == (200, "text/plain; charset=utf-8", "up 1\n")


async def test_only_the_metrics_that_are_named_are_shown(address: str) -> None:
    _, _, text = await ask(f"{address}/metrics?name[]=lag&name[]=queries")
    assert text == "lag 1\nqueries 1\n"


async def test_other_pages_are_not_there(address: str) -> None:
    assert (await ask(f"{address}/"))[0] == 404


async def test_port_that_is_taken_is_told_in_one_sentence(health: Health) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on {HOST}:{port}"):
            await probes.serve(health.pages(), HOST, port)
