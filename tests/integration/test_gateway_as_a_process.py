"""The gateway as it is started in a pod: a file, two ports, SIGTERM."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.integration.gateway_world import Agent, agents_running, eventually

PROGRAM = str(Path(sys.executable).with_name("agentscaler"))


@dataclass
class Started:
    """A gateway in a process of its own."""

    process: asyncio.subprocess.Process
    url: str
    admin: str
    client: aiohttp.ClientSession

    async def status(self, url: str) -> int:
        async with self.client.get(url) as answer:
            return answer.status


def configured(folder: Path, agent: Agent, drain_delay: str = "0s") -> Path:
    content = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "drainDelay": drain_delay,
        "routes": [{"agent": "research", "backends": {"static": [agent.address]}}],
    }
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@asynccontextmanager
async def started(config: Path) -> AsyncIterator[Started]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "gateway", "--config", str(config),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = (await process.stderr.readline()).decode()
        found = re.search(r"serving on port (\d+), admin on port (\d+)", line)
        assert found is not None, line
        url, admin = (f"http://127.0.0.1:{port}" for port in found.groups())
        async with aiohttp.ClientSession() as client:
            yield Started(process, url, admin, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_gateway_serves_and_answers_the_cluster(tmp_path: Path) -> None:
    async with agents_running(1) as [agent], started(configured(tmp_path, agent)) as gateway:
        assert await gateway.status(gateway.url) == 200
        for path, status in {"/livez": 200, "/readyz": 200, "/metrics": 200, "/": 404}.items():
            assert await gateway.status(gateway.admin + path) == status


async def test_terminated_gateway_is_not_ready_serves_on_and_finishes_its_streams(
    tmp_path: Path,
) -> None:
    async with agents_running(1) as [agent]:
        config = configured(tmp_path, agent, drain_delay="4s")
        async with started(config) as gateway:
            async with gateway.client.get(gateway.url + "/tokens") as stream:
                await stream.content.readuntil(b"\n\n")
                gateway.process.send_signal(signal.SIGTERM)

                async def is_draining() -> bool:
                    return await gateway.status(gateway.admin + "/readyz") == 503

                await eventually(is_draining)
                async with gateway.client.get(gateway.url) as late:  # not everybody knows yet
                    assert (late.status, late.headers["Connection"]) == (200, "close")

                def refuses() -> bool:
                    with socket.socket() as probe:
                        port = int(gateway.url.rpartition(":")[2])
                        return probe.connect_ex(("127.0.0.1", port)) != 0

                await eventually(refuses)
                agent.go_on.set()
                assert await stream.content.read() == b"data: two\n\n"
            assert await gateway.process.wait() == 0


async def test_malformed_request_is_a_400_and_a_line_in_the_log_that_quotes_nothing(
    tmp_path: Path,
) -> None:
    async with agents_running(1) as [agent], started(configured(tmp_path, agent)) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: secret" + b"." * 2**17 + b"\r\n\r\n"
        )
        assert b" 400 " in await reader.readline()
        writer.close()
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.stderr is not None
        said = (await gateway.process.stderr.read()).decode()
    assert "INFO malformed request from 127.0.0.1" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("routes: []", "routes: must be a list with at least one entry"),
        ("a: [", "gateway.yaml: is no YAML"),
    ],
    ids=["no routes", "no YAML"],
)
async def test_unusable_file_is_refused_with_the_fix(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    assert complaint in await refused(path)


async def test_port_that_is_taken_is_told_with_the_fix(tmp_path: Path) -> None:
    async with agents_running(1) as [agent]:
        path = configured(tmp_path, agent)
        content = yaml.safe_load(path.read_text(encoding="utf-8")) | {"admin": agent.address}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        said = await refused(path)
    assert f"admin: cannot listen on {agent.address}: address already in use; " in said
    assert len(said.splitlines()) == 1


async def test_service_outside_a_cluster_is_refused_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    ports = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"}
    route = {"agent": "research", "backends": {"dns": {"name": "localhost", "port": 1}}}
    content = {**ports, "routes": [{**route, "wake": {"policy": "research"}}]}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    said = await refused(path)
    assert "there is no cluster around; set KUBERNETES_API_URL" in said
    assert len(said.splitlines()) == 1


async def refused(config: Path) -> str:
    """Start a gateway that will not run; give what it says."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "gateway", "--config", str(config),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert process.returncode == 2
    return said.decode()
