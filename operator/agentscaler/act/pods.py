"""The pods of a target: which there are, and telling their controller which of them to remove.

A ReplicaSet removes pods of a low deletion cost first, as long as all are ready. Whoever is told to
go is marked with the time, so that any leader knows for how long it has been waited for.
"""

from datetime import datetime
from typing import Final

from agentscaler import conventions
from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import PODS
from agentscaler.decide.snapshot import Missing, Pod, Why

# Pods without a cost have 0: what is not told to go stays, also what nobody knew of.
_COST: Final = "-1000000"
_SERVES, _SERVES_NOT = "true", "false"
_UNREAD: Final = Missing(Why.EMPTY, "not read")
_UNSCHEDULED: Final = ("PodScheduled", "False", "Unschedulable")
_ENDED: Final = frozenset({"Succeeded", "Failed"})


async def list_pods(api: Api, namespace: str, selector: str) -> tuple[Pod, ...]:
    """Give the pods that are there and not on their way out; what they serve is left unread."""
    found = []
    async for page in api.list_pages(PODS.at(namespace), labels=selector):
        found += [read(body, selector) for body in page["items"] or () if _stays(body)]
    return tuple(found)


async def count_unscheduled(api: Api, namespace: str, selector: str) -> int:
    """Count the pods that the scheduler finds no node for, as it says in their conditions."""
    counted = 0
    async for page in api.list_pages(PODS.at(namespace), labels=selector):
        counted += sum(_stays(body) and is_unscheduled(body) for body in page["items"] or ())
    return counted


def is_unscheduled(body: Body) -> bool:
    """Tell whether the scheduler looked for a node and found none; a pod just made is not so."""
    return any(
        (each.get("type"), each.get("status"), each.get("reason")) == _UNSCHEDULED
        for each in (body.get("status") or {}).get("conditions") or ()
    )


async def mark(api: Api, namespace: str, pod: Pod, now: datetime) -> None:
    """Choose a pod to go: it is taken out of service if its labels allow it, and waited for.

    One that is waited for already keeps its time. One that was to go at once must have no cost any
    more: with the cost of those that are idle it would be removed in the place of one of them.
    """
    since = pod.draining_since or now
    annotations: dict[str, str | None] = {conventions.DRAINING_ANNOTATION: since.isoformat()}
    if pod.stamped:
        annotations[conventions.DELETION_COST] = None
    metadata: Body = {"annotations": annotations}
    if pod.detachable:
        metadata["labels"] = {conventions.SERVING_LABEL: _SERVES_NOT}
    await _patch(api, namespace, pod, metadata)


async def stamp(api: Api, namespace: str, pod: Pod) -> None:
    """Have the controller remove this pod before others."""
    await _patch(api, namespace, pod, {"annotations": {conventions.DELETION_COST: _COST}})


async def release(api: Api, namespace: str, pod: Pod) -> None:
    """Let a pod stay after all, and serve again."""
    annotations: dict[str, None] = {conventions.DRAINING_ANNOTATION: None}
    if pod.stamped:
        annotations[conventions.DELETION_COST] = None
    metadata: Body = {"annotations": annotations}
    if pod.detachable:
        metadata["labels"] = {conventions.SERVING_LABEL: _SERVES}
    await _patch(api, namespace, pod, metadata)


async def _patch(api: Api, namespace: str, pod: Pod, metadata: Body) -> None:
    await api.patch(PODS.at(namespace, pod.name), {"metadata": metadata})


def read(body: Body, selector: str) -> Pod:
    """Read a pod. One that its controller finds by the serving label must keep it."""
    metadata, status = body["metadata"], body.get("status") or {}
    annotations = metadata.get("annotations") or {}
    serving = conventions.SERVING_LABEL
    return Pod(
        name=metadata["name"],
        in_flight=_UNREAD,
        started=status.get("phase") != "Pending",
        ready=any(
            each.get("type") == "Ready" and each.get("status") == "True"
            for each in status.get("conditions") or ()
        ),
        draining_since=_moment(annotations.get(conventions.DRAINING_ANNOTATION, "")),
        detachable=serving in (metadata.get("labels") or {}) and serving not in selector,
        stamped=annotations.get(conventions.DELETION_COST) == _COST,
    )


def _stays(body: Body) -> bool:
    status = body.get("status") or {}
    return not body["metadata"].get("deletionTimestamp") and status.get("phase") not in _ENDED


def _moment(text: str) -> datetime | None:
    """Read a time that anybody may have damaged; without a zone it could not be compared."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
