"""The fleet's process: python -m tests.bed.fleet --kubeconfig FILE --config FILE --port PORT.

In a pod of the cluster it needs neither file.
"""

import argparse
import asyncio
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from kubernetes.aio import client, config

from tests.bed.fleet.config import FleetConfig
from tests.bed.fleet.control import application
from tests.bed.fleet.draining import let_go
from tests.bed.fleet.playing import Playing
from tests.bed.fleet.pods import PodWatch
from tests.bed.ports import LOOPBACK


def main() -> None:
    """Play the agents of a configuration until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m tests.bed.fleet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, help="default: the account of this pod")
    parser.add_argument("--config", type=Path, help="default: no agents yet")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=LOOPBACK)
    given = parser.parse_args()
    fleet = FleetConfig()
    if given.config:
        fleet = FleetConfig.model_validate_json(given.config.read_bytes())
    asyncio.run(play(fleet, given.kubeconfig, given.host, given.port))


async def play(fleet: FleetConfig, kubeconfig: Path | None, host: str, port: int) -> None:
    """Serve the page and follow the pods until a signal to end."""
    if kubeconfig:
        await config.load_kube_config(str(kubeconfig))  # type: ignore[no-untyped-call]
    else:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    async with client.ApiClient() as api, asyncio.TaskGroup() as tasks:
        pods = client.CoreV1Api(api)
        watch = PodWatch(pods)
        playing = Playing(seconds_since(fleet.epoch), watch.known)
        watch.tell = playing.note
        following = tasks.create_task(watch.run())
        await watch.listed.wait()
        for agent in fleet.agents:
            playing.put(agent)
        leaving = tasks.create_task(let_go(pods, playing)) if fleet.leave_when_drained else None
        await serve_until_told(application(playing), host, port)
        following.cancel()
        if leaving:
            leaving.cancel()


async def serve_until_told(app: web.Application, host: str, port: int) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await told.wait()
    finally:
        await runner.cleanup()


def seconds_since(epoch: float) -> Callable[[], float]:
    """Make a clock of seconds since a Unix time that never runs backwards."""
    begun = time.time() - epoch - time.monotonic()
    return lambda: begun + time.monotonic()


if __name__ == "__main__":
    main()
