"""A gateway as a process: serves until it is told to stop, then drains."""

import asyncio
import logging
import os
import signal

from agentscaler.clock import SystemClock
from agentscaler.gateway.server import Gateway
from agentscaler.gateway.settings import GatewaySettings


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_serve(settings))


async def _serve(settings: GatewaySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Gateway(settings, SystemClock(), os.environ) as gateway:
        logging.getLogger(__name__).info(
            "serving on port %d, admin on port %d", gateway.port, gateway.admin_port
        )
        await stop.wait()
        await gateway.drain()
