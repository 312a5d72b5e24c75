"""A gateway as a process: serves until it is told to stop, then drains."""

import asyncio
import logging
import os
import signal

from aiohttp.http_exceptions import HttpProcessingError

from agentscaler.clock import SystemClock
from agentscaler.gateway.server import Gateway
from agentscaler.gateway.settings import GatewaySettings


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_malformed_in_one_line)
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


def _malformed_in_one_line(record: logging.LogRecord) -> bool:
    """Tell of malformed requests without a traceback, which would quote what clients sent."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.msg, record.exc_info = "malformed request from %s", None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
