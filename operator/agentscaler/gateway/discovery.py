"""Where the backends are, by DNS or by list; `endpoint_slices` asks Kubernetes.

Every source calls `update` with the whole list whenever that may have changed. A source that cannot
be read says nothing: the last list stays, for an outage of the discovery is none of the agents.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from agentscaler.clock import Clock
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.settings import DnsBackends, StaticBackends

logger = logging.getLogger(__name__)

Update = Callable[[Sequence[Endpoint]], None]

# The name server answered, and there is nobody: the truth at zero replicas.
_NOBODY: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class Discovery(Protocol):
    """A source of backends."""

    async def follow(self, update: Update) -> None:
        """Tell `update` all backends, now and whenever they change; runs until cancelled."""
        ...


class StaticDiscovery:
    """Tells its list once."""

    def __init__(self, settings: StaticBackends) -> None:
        self._endpoints = settings.endpoints

    async def follow(self, update: Update) -> None:
        update(self._endpoints)


class DnsDiscovery:
    """Asks for all addresses of a name, again and again."""

    def __init__(self, settings: DnsBackends, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def follow(self, update: Update) -> None:
        while True:
            found = await self._resolve()
            if found is not None:
                update(found)
            await self._clock.sleep(self._settings.every_seconds)

    async def _resolve(self) -> list[Endpoint] | None:
        """Ask once; None if the name server gave no answer."""
        name, port = self._settings.name, self._settings.port
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except socket.gaierror as exc:
            if exc.errno in _NOBODY:
                return []
            logger.warning("cannot resolve %s, the last backends stay: %s", name, exc)
            return None
        hosts = sorted({str(info[4][0]) for info in infos})
        return [Endpoint(address_of(host, port)) for host in hosts]


def address_of(host: str, port: int) -> str:
    """Join host and port; IPv6 goes into brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
