"""Active checks: ask every backend whether it is ready, and believe it only after some failures."""

import asyncio
from collections import Counter
from http import HTTPStatus

import aiohttp

from agentscaler.clock import Clock
from agentscaler.gateway.backends import Backend, Pool
from agentscaler.gateway.settings import HealthSettings


class HealthChecks:
    """Checks all backends of one pool side by side, round after round."""

    def __init__(self, pool: Pool, settings: HealthSettings, clock: Clock) -> None:
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._failures: Counter[str] = Counter()

    async def run(self) -> None:
        """Check until cancelled; returns at once where no path is set."""
        if self._settings.path is None:
            return
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                await self.check_all(session)
                await self._clock.sleep(self._settings.every_seconds)

    async def check_all(self, session: aiohttp.ClientSession) -> None:
        """Check each backend once."""
        backends = list(self._pool.backends)
        answers = await asyncio.gather(*(self._passes(session, each) for each in backends))
        for backend, passes in zip(backends, answers, strict=True):
            self._note(backend, passes=passes)
        self._failures = Counter({each.name: self._failures[each.name] for each in backends})

    def _note(self, backend: Backend, *, passes: bool) -> None:
        """Take one out after some failures in a row, and back in after one success."""
        self._failures[backend.name] = 0 if passes else self._failures[backend.name] + 1
        if passes or self._failures[backend.name] >= self._settings.failures:
            self._pool.set_checked(backend, passes=passes)

    async def _passes(self, session: aiohttp.ClientSession, backend: Backend) -> bool:
        try:
            async with session.get(f"{backend.url}{self._settings.path}") as response:
                return response.status < HTTPStatus.BAD_REQUEST
        except (aiohttp.ClientError, TimeoutError):
            return False
