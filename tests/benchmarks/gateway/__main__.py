"""Compare proxies side by side: `python -m tests.benchmarks.gateway`, about five minutes.

The work's own p99 is the least that any proxy can reach where pods are equal.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.benchmarks.gateway import load, peers
from tests.benchmarks.gateway.agents import SLOTS

SECONDS = 12.0
UTILIZATION = 0.75
SEQUENTIAL = 1000
UNEQUAL = [0.4, 0.4, 0.4, 1, 1, 1, 1, 1.5, 1.5, 1.5]
SCENARIOS = {
    "equal pods": [1.0] * 10,
    "unequal pods": UNEQUAL,
    "one sick pod": [-1.0, *[1.0] * 9],
}


@asynccontextmanager
async def agents_at(speeds: Sequence[float]) -> AsyncIterator[list[int]]:
    """Run agents of these speeds; gives their ports."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.gateway.agents", json.dumps(list(speeds)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def main() -> None:
    """Print the added latency, then the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = peers.unpacked(folder)
        proxies = {
            "nginx round robin": peers.nginx(root, ""),
            "nginx least_conn": peers.nginx(root, "least_conn;"),
            "haproxy leastconn": peers.haproxy(root),
            "ours adaptive": peers.ours("adaptive"),
            "ours least-connections": peers.ours("least-connections"),
        }
        await _added_latency(folder, root, proxies)
        for title, speeds in SCENARIOS.items():
            await _scenario(folder, root, proxies, title, speeds)


async def _added_latency(folder: Path, root: Path, proxies: dict[str, peers.Command]) -> None:
    print(f"\nadded latency, {SEQUENTIAL} requests one after the other, ms")
    async with agents_at([1.0]) as agents:
        direct = await load.latencies(agents[0], SEQUENTIAL)
        for number, name in enumerate(("nginx round robin", "haproxy leastconn", "ours adaptive")):
            at = folder / f"latency-{number}"
            async with peers.running(proxies[name], at, agents, root) as port:
                seen = await load.latencies(port, SEQUENTIAL)
            median, high = (
                1000 * (seen[int(share * SEQUENTIAL)] - direct[int(share * SEQUENTIAL)])
                for share in (0.5, 0.99)
            )
            print(f"  {name:24} median {median:6.2f}   p99 {high:6.2f}", flush=True)


async def _scenario(
    folder: Path,
    root: Path,
    proxies: dict[str, peers.Command],
    title: str,
    speeds: Sequence[float],
) -> None:
    rate = UTILIZATION * SLOTS * sum(map(abs, speeds)) / load.MEAN_SECONDS
    arrivals = load.arrivals(rate, SECONDS, seed=1)
    print(
        f"\n{title}: {len(arrivals)} requests, {rate:.0f}/s, mean {load.MEAN_SECONDS} s, the "
        f"work's own p99 {load.quantile([each.seconds for each in arrivals], 0.99):.3f} s; late: "
        f"waited over {load.WAIT_TARGET_SECONDS} s"
    )
    base = 0.0
    for number, (name, command) in enumerate(proxies.items()):
        at = folder / f"{title.replace(' ', '-')}-{number}"
        async with (
            agents_at(speeds) as agents,
            peers.running(command, at, agents, root) as port,
        ):
            result = await load.apply(port, arrivals)
        base = base or result.p99_seconds
        print(
            f"  {name:24} median {result.median_seconds:6.3f}   p99 {result.p99_seconds:7.3f}"
            f" ({result.p99_seconds / base:4.2f} x)   late {result.late_ratio:6.2%}"
            f"   failed {result.failed_ratio:6.2%}",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
