"""Agents for the benchmark: each with four slots, a speed of its own, and work that only waits.

Started as a program with the speeds as JSON; prints the ports as JSON. The caller says how long the
work takes (`x-seconds`), so that every proxy gets the same requests. A speed below 0 marks a sick
agent: half of its answers are errors, at once. A session (`x-session-id`) that an agent does not
have in its memory of the last sessions costs time to bring back, on top of the work.
"""

import asyncio
import json
import sys
from collections import OrderedDict

from aiohttp import web

SLOTS = 4
SICK_SECONDS = 0.005
WARM_SESSIONS = 40
COLD_SECONDS = 0.2


class Agent:
    """One agent on a free port."""

    def __init__(self, speed: float) -> None:
        self._speed = abs(speed)
        self._is_sick = speed < 0
        self._slots = asyncio.Semaphore(SLOTS)
        self._count = 0
        self._warm: OrderedDict[str, None] = OrderedDict()

    async def start(self) -> int:
        server = web.Server(self._handle, access_log=None)
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        seconds = float(request.headers.get("x-seconds", 0)) / self._speed
        async with self._slots:
            self._count += 1
            fails = self._is_sick and self._count % 2 == 0
            cold = self._bring_back(request.headers.get("x-session-id"))
            await asyncio.sleep(SICK_SECONDS if fails else seconds + cold)
        told = {"x-worked-seconds": str(seconds)}
        return web.Response(status=500 if fails else 200, text="ok", headers=told)

    def _bring_back(self, session: str | None) -> float:
        """Give the seconds until a session is there; the one not used for longest makes room."""
        if session is None:
            return 0.0
        cold = 0.0 if session in self._warm else COLD_SECONDS
        self._warm[session] = None
        self._warm.move_to_end(session)
        if len(self._warm) > WARM_SESSIONS:
            self._warm.popitem(last=False)
        return cold


async def main() -> None:
    """Start all and serve until killed."""
    agents = [Agent(speed) for speed in json.loads(sys.argv[1])]
    ports = [await agent.start() for agent in agents]
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
