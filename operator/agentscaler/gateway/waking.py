"""Tells the operator at once that somebody waits for a target at zero.

Otherwise it learns of the line by the next scrape and the next poll, half a minute later. What is
written is an annotation on the policy: how many replicas there are stays the operator's to say.
"""

import asyncio
import logging
from typing import Final

import aiohttp

from agentscaler import conventions
from agentscaler.clock import Clock
from agentscaler.gateway.api_server import ApiServer
from agentscaler.gateway.backends import Pool
from agentscaler.gateway.errors import WakeError
from agentscaler.gateway.waiting import Line

logger = logging.getLogger(__name__)

REPEAT_SECONDS: Final = 10.0  # the operator heeds one for a minute
RETRY_SECONDS: Final = 1.0


class Waking:
    """Wakes the policy of one route for as long as somebody waits and there is nobody to serve."""

    def __init__(self, policy_path: str, server: ApiServer, clock: Clock) -> None:
        self._url = server.url + policy_path
        self._server = server
        self._clock = clock
        self._looks = asyncio.Event()

    def look(self) -> None:
        """Note that somebody began to wait, or that the backends have changed."""
        self._looks.set()

    async def run(self, pool: Pool, line: Line) -> None:
        """Wake whenever it is needed; runs until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while True:
                await self._looks.wait()
                self._looks.clear()
                while line.depth and pool.is_at_zero:
                    await self._clock.sleep(await self._wake(session))

    async def _wake(self, session: aiohttp.ClientSession) -> float:
        """Write the annotation; give the seconds until the next attempt."""
        try:
            await self._write(session)
        except (WakeError, aiohttp.ClientError, OSError, TimeoutError) as exc:
            logger.warning("cannot wake the policy, its poll will: %s", exc)
            return RETRY_SECONDS
        return REPEAT_SECONDS

    async def _write(self, session: aiohttp.ClientSession) -> None:
        now = self._clock.now().isoformat()
        patch = {"metadata": {"annotations": {conventions.WAKE_ANNOTATION: now}}}
        headers = {"Content-Type": "application/merge-patch+json", **self._server.headers()}
        async with session.patch(
            self._url, json=patch, headers=headers, ssl=self._server.ssl
        ) as response:
            if not response.ok:
                text = (await response.text())[:200]
                raise WakeError(f"the API server answered {response.status}: {text}")


def policy_path(namespace: str, name: str) -> str:
    """Give the path of a policy at the API server, with ourselves as the one who writes."""
    where = f"/apis/{conventions.API_VERSION}/namespaces/{namespace}/{conventions.PLURAL}/{name}"
    return f"{where}?fieldManager=agentscaler-gateway"
