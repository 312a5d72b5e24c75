"""The proxies that are compared: nginx and HAProxy from the distribution's packages, and ours.

wrk, which loads them, comes the same way.

Packages are unpacked into a folder, not installed. Each proxy gets a free port.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks.gateway.agents import SLOTS

PACKAGES = (
    *("nginx", "haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"),
    *("wrk", "libluajit-5.1-2"),
)
PROGRAM = str(Path(sys.executable).with_name("agentscaler"))
Command = Callable[[Path, int, Sequence[int]], list[str]]


def unpacked(folder: Path) -> Path:
    """Fetch and unpack the packages; raises `SystemExit` with the reason where that fails."""
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        raise SystemExit(
            "make bench-gateway takes nginx, HAProxy and wrk from Debian's packages, and there is "
            "no apt-get here: run it on Debian or Ubuntu, or in a container of one"
        )
    done = subprocess.run(
        [apt, "download", *PACKAGES], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"make bench-gateway cannot download nginx, HAProxy and wrk; apt-get update may help: "
            f"{done.stderr}"
        )
    for package in folder.glob("*.deb"):
        subprocess.run([dpkg, "-x", str(package), str(folder / "root")], check=True)
    return folder / "root"


def nginx(root: Path, method: str) -> Command:
    """Start nginx with one balancing method ('' is round robin) and kept connections."""

    def command(folder: Path, port: int, agents: Sequence[int]) -> list[str]:
        servers = "\n".join(f"server 127.0.0.1:{agent};" for agent in agents)
        return _nginx(
            root,
            folder,
            f"""
            upstream agents {{ {method} {servers} keepalive 256; }}
            server {{
              listen 127.0.0.1:{port};
              location / {{
                proxy_pass http://agents; proxy_http_version 1.1; proxy_buffering off;
                proxy_set_header Connection ""; proxy_read_timeout 300s;
              }}
            }}
            """,
        )

    return command


def answering(root: Path) -> Command:
    """Start nginx as a backend that answers two bytes, faster than any proxy asks."""

    def command(folder: Path, port: int, _agents: Sequence[int]) -> list[str]:
        answer = f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}'
        return _nginx(root, folder, answer)

    return command


def _nginx(root: Path, folder: Path, servers: str) -> list[str]:
    config = folder / "nginx.conf"
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"""
        daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_processes 1;
        events {{ worker_connections 4096; }}
        http {{ access_log off; keepalive_requests 10000000; {temporary} {servers} }}
        """
    )
    return [str(root / "usr/sbin/nginx"), "-p", str(folder), "-c", str(config)]


# What ours knows, in HAProxy's words: slots, so that requests wait in one line for all, and
# ejection for half a minute after five errors.
TUNED: Final = (
    f"maxconn {SLOTS} check inter 15s rise 2 observe layer7 error-limit 5 on-error mark-down"
)


def haproxy(root: Path, method: str, server_options: str = "") -> Command:
    """Start HAProxy with one balancing method."""

    def command(folder: Path, port: int, agents: Sequence[int]) -> list[str]:
        servers = "\n".join(
            f"  server agent-{number} 127.0.0.1:{agent} {server_options}"
            for number, agent in enumerate(agents)
        )
        config = folder / "haproxy.cfg"
        config.write_text(
            "global\n  nbthread 1\n  maxconn 4096\n"
            "defaults\n  mode http\n  timeout connect 3s\n  timeout client 300s\n"
            "  timeout server 300s\n  http-reuse always\n"
            f"frontend in\n  bind 127.0.0.1:{port}\n  default_backend agents\n"
            f"backend agents\n  balance {method}\n  hash-type consistent\n{servers}\n"
        )
        return [str(root / "usr/sbin/haproxy"), "-db", "-f", str(config)]

    return command


def ours(rule: str, capacity: int | None = SLOTS) -> Command:
    """Start our gateway with one rule."""

    def command(folder: Path, port: int, agents: Sequence[int]) -> list[str]:
        addresses = ", ".join(f'"127.0.0.1:{agent}"' for agent in agents)
        limit = "" if capacity is None else f"capacity: {capacity}, "
        config = folder / "gateway.yaml"
        config.write_text(
            f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:0\ndrainDelay: 0s\nroutes:\n"
            f"  - {{agent: bench, rule: {rule}, {limit}queue: {{deadline: 5m}}, "
            f"backends: {{static: [{addresses}]}}}}\n"
        )
        return [PROGRAM, "gateway", "--config", str(config)]

    return command


@asynccontextmanager
async def running(
    command: Command, folder: Path, agents: Sequence[int], root: Path
) -> AsyncIterator[int]:
    """Run one proxy; gives its port once it listens."""
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        *command(_made(folder), port, agents),
        env={**os.environ, "LD_LIBRARY_PATH": libraries(root)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(process, port)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def libraries(root: Path) -> str:
    """Name the folders with the unpacked libraries."""
    return ":".join(str(path) for path in root.glob("usr/lib/*-linux-*"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if process.returncode is not None:
                raise SystemExit(f"a proxy ended at its start with {process.returncode}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
