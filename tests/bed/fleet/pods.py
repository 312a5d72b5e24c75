"""Follows the pods of a cluster and says which agent each belongs to and what state it is in."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from agentscaler.conventions import SERVING_LABEL

RETRY_SECONDS = 0.5
WATCH_SECONDS = 600
LOST = (ApiException, aiohttp.ClientError, TimeoutError)

log = logging.getLogger(__name__)


class State(StrEnum):
    """What a pod can do for its agent."""

    STARTING = "starting"
    READY = "ready"
    DETACHED = "detached"
    """Out of service by its label: it ends what it has and is sent nothing new."""
    DRAINING = "draining"


@dataclass(frozen=True)
class PodSeen:
    """A pod as the API server last told; None as its state: it is gone."""

    namespace: str
    agent: str
    name: str
    state: State | None


class WatchEndedError(Exception):
    """The API server ended a watch; list again."""


class PodWatch:
    """Lists the pods, then watches them, for ever; calls `tell` with each difference."""

    def __init__(self, api: "client.CoreV1Api") -> None:
        self._api = api
        self.tell: Callable[[PodSeen], None] = lambda _: None
        self._known: dict[str, PodSeen] = {}
        self.listed = asyncio.Event()

    async def run(self) -> None:
        """Follow the pods until cancelled; a lost connection is taken up again."""
        while True:
            try:
                version = await self._list()
                self.listed.set()
                async for kind, body in self._changes(version):
                    self._note(body, gone=kind == "DELETED")
            except WatchEndedError:
                continue
            except LOST as exc:
                log.warning("following pods: %s; trying again", exc)
                await asyncio.sleep(RETRY_SECONDS)

    def known(self) -> list[PodSeen]:
        """Give all pods there are."""
        return list(self._known.values())

    async def _list(self) -> str:
        answer = await self._api.list_pod_for_all_namespaces_without_preload_content()
        listing = json.loads(await answer.read())
        if "items" not in listing:
            raise ApiException(status=answer.status, reason=listing.get("message"))
        present = {body["metadata"]["uid"] for body in listing["items"]}
        for uid in self._known.keys() - present:
            self._forget(uid)
        for body in listing["items"]:
            self._note(body)
        return str(listing["metadata"]["resourceVersion"])

    async def _changes(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        answer = await self._api.list_pod_for_all_namespaces_without_preload_content(
            watch=True,
            resource_version=version,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=WATCH_SECONDS + 60.0,
        )
        async for line in answer.content:
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise WatchEndedError(event["object"].get("message"))
            yield event["type"], event["object"]
        raise WatchEndedError

    def _note(self, body: Mapping[str, Any], *, gone: bool = False) -> None:
        uid = body["metadata"]["uid"]
        if gone:
            self._forget(uid)
            return
        seen = read_pod(body)
        if seen is not None and seen != self._known.get(uid):
            self._known[uid] = seen
            self.tell(seen)

    def _forget(self, uid: str) -> None:
        last = self._known.pop(uid, None)
        if last is not None:
            self.tell(PodSeen(last.namespace, last.agent, last.name, None))


def read_pod(body: Mapping[str, Any]) -> PodSeen | None:
    """Read a pod; None if it belongs to no Deployment."""
    metadata = body["metadata"]
    suffix = "-" + metadata.get("labels", {}).get("pod-template-hash", "")
    for owner in metadata.get("ownerReferences", ()):
        if owner["kind"] == "ReplicaSet" and owner["name"].endswith(suffix):
            agent = owner["name"].removesuffix(suffix)
            return PodSeen(metadata["namespace"], agent, metadata["name"], _state(body))
    return None


def _state(body: Mapping[str, Any]) -> State:
    if body["metadata"].get("deletionTimestamp"):
        return State.DRAINING
    conditions = body.get("status", {}).get("conditions", ())
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    if not ready:
        return State.STARTING
    labels = body["metadata"].get("labels", {})
    return State.DETACHED if labels.get(SERVING_LABEL) == "false" else State.READY
