"""What a proxy costs where nothing has to be decided: added latency, and requests a second."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.gateway import load, peers

SEQUENTIAL = 2000
CONNECTIONS = 16
WRK_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Passing:
    """One proxy in front of one backend."""

    proxy: str
    median_ms: float
    p99_ms: float
    requests_per_second: float


async def compare(root: Path, folder: Path) -> AsyncIterator[Passing]:
    """Measure each proxy in front of the same backend."""
    proxies = {
        "nginx": peers.nginx(root, ""),
        "HAProxy": peers.haproxy(root, "leastconn"),
        "ours": peers.ours("adaptive", capacity=None),
    }
    async with peers.running(peers.answering(root), folder / "backend", (), root) as backend:
        direct = await load.latencies(backend, SEQUENTIAL)
        for name, command in proxies.items():
            async with peers.running(command, folder / name, (backend,), root) as port:
                seen = await load.latencies(port, SEQUENTIAL)
                rate = await _throughput(root, port)
            median, p99 = (
                1000 * (load.quantile(seen, share) - load.quantile(direct, share))
                for share in (0.5, 0.99)
            )
            yield Passing(name, median, p99, rate)


async def _throughput(root: Path, port: int) -> float:
    wrk = await asyncio.create_subprocess_exec(
        str(root / "usr/bin/wrk"), "--threads", "1", "--connections", str(CONNECTIONS),
        "--duration", f"{WRK_SECONDS}s", f"http://127.0.0.1:{port}/",
        env={**os.environ, "LD_LIBRARY_PATH": peers.libraries(root)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    page = (await wrk.communicate())[0].decode()
    found = re.search(r"Requests/sec:\s+([\d.]+)", page)
    assert found is not None, page
    return float(found[1])
