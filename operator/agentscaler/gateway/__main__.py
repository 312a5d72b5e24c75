"""Start a gateway: `python -m agentscaler.gateway --config FILE`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from agentscaler.clock import SystemClock
from agentscaler.errors import UsageError
from agentscaler.gateway import config
from agentscaler.gateway.server import Gateway
from agentscaler.gateway.settings import GatewaySettings


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 if the configuration cannot be followed."""
    parser = argparse.ArgumentParser(prog="python -m agentscaler.gateway", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the YAML file")
    path = parser.parse_args().config
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(config.read(path)))
    except UsageError as exc:
        print(f"agentscaler gateway: {exc}", file=sys.stderr)  # noqa: T201 - for whoever starts it
        return 2
    return 0


async def serve(settings: GatewaySettings) -> None:
    """Run one gateway until it is told to stop, then drain."""
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


if __name__ == "__main__":
    sys.exit(main())
