"""The ready endpoints of a Kubernetes Service, watched with the pod's own token.

A list and then a watch from there. Terminating endpoints get no new requests, whatever else they
say.
"""

import json
import logging
from collections.abc import Iterable
from typing import Any, Final

import aiohttp

from agentscaler.clock import Clock
from agentscaler.gateway.api_server import ApiServer
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.discovery import Update, address_of
from agentscaler.gateway.errors import DiscoveryError
from agentscaler.gateway.settings import ServiceBackends

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 300
FIRST_RETRY_SECONDS: Final = 0.5
MAX_RETRY_SECONDS: Final = 15.0
MAX_LINE_BYTES: Final = 16 * 2**20  # a slice holds up to 1000 endpoints of about 1 KiB


class EndpointSlices:
    """Follows the slices of one Service."""

    def __init__(
        self, settings: ServiceBackends, namespace: str, server: ApiServer, clock: Clock
    ) -> None:
        self._port = settings.port
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._selector = f"kubernetes.io/service-name={settings.name}"
        self._server = server
        self._clock = clock
        self._slices: dict[str, dict[str, Any]] = {}

    async def follow(self, update: Update) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=WATCH_SECONDS + 30)
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=MAX_LINE_BYTES) as session:
            while True:
                try:
                    version = await self._list(session)
                    update(endpoints_of(self._slices.values(), self._port))
                    retry_seconds = FIRST_RETRY_SECONDS
                    await self._watch(session, version, update)
                except (DiscoveryError, aiohttp.ClientError, OSError, ValueError, KeyError) as exc:
                    logger.warning("cannot read endpoints, the last ones stay: %s", exc)
                    await self._clock.sleep(retry_seconds)
                    retry_seconds = min(MAX_RETRY_SECONDS, retry_seconds * 2)

    async def _list(self, session: aiohttp.ClientSession) -> str:
        """Read all slices; give the version to watch from."""
        async with self._get(session) as response:
            content = await _checked(response)
        self._slices = {each["metadata"]["name"]: each for each in content.get("items") or ()}
        return str(content["metadata"]["resourceVersion"])

    async def _watch(self, session: aiohttp.ClientSession, version: str, update: Update) -> None:
        """Follow the changes; returns when the server ends the watch or cannot go on."""
        more = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        async with self._get(session, **more) as response:
            if response.status != 200:  # noqa: PLR2004 - OK
                await _checked(response)
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return  # the version is too old: list anew
                self._note(event["type"], event["object"])
                update(endpoints_of(self._slices.values(), self._port))

    def _note(self, kind: str, found: dict[str, Any]) -> None:
        name = found["metadata"]["name"]
        if kind == "DELETED":
            self._slices.pop(name, None)
        else:
            self._slices[name] = found

    def _get(self, session: aiohttp.ClientSession, **more: str) -> Any:
        return session.get(
            self._server.url + self._path,
            params={"labelSelector": self._selector, **more},
            headers=self._server.headers(),
            ssl=self._server.ssl,
        )


def endpoints_of(slices: Iterable[dict[str, Any]], port: str | int | None) -> list[Endpoint]:
    """Give the endpoints that may get new requests, each once."""
    found: dict[str, Endpoint] = {}
    for each in slices:
        number = _port_of(each.get("ports") or (), port)
        if number is None:
            continue
        for endpoint in each.get("endpoints") or ():
            if _takes_requests(endpoint.get("conditions") or {}):
                for host in endpoint["addresses"][:1]:
                    address = address_of(host, number)  # pods of one host differ by their port
                    found[address] = Endpoint(address)
    return sorted(found.values(), key=lambda endpoint: endpoint.address)


def _takes_requests(conditions: dict[str, Any]) -> bool:
    """Read the conditions; an unknown readiness counts as ready, as the API demands."""
    return conditions.get("ready") is not False and not conditions.get("terminating")


def _port_of(ports: Iterable[dict[str, Any]], wanted: str | int | None) -> int | None:
    for port in ports:
        number: int | None = port.get("port")
        if wanted is None or wanted in (port.get("name"), number):
            return number
    return None


async def _checked(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Read an object, or say why there is none."""
    if response.status != 200:  # noqa: PLR2004 - OK
        text = (await response.text())[:200]
        raise DiscoveryError(f"the API server answered {response.status}: {text}")
    try:
        content: dict[str, Any] = await response.json()
    except ValueError as exc:
        raise DiscoveryError(f"the API server answered no JSON: {exc}") from exc
    return content
