"""List which policies there really are, to make good what a watch may have missed."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from agentscaler.act.calls import METADATA_ONLY, Body
from agentscaler.act.client import Api
from agentscaler.act.mirror import ObjectKey
from agentscaler.act.places import POLICIES
from agentscaler.errors import ForbiddenError, NotFoundError


class PolicyVersion(NamedTuple):
    """Which object it is, of which spec, at which version."""

    uid: str
    generation: int
    resource_version: str


async def list_policies(api: Api, namespace: str = "") -> dict[ObjectKey, PolicyVersion]:
    """List all policies, or those of one namespace, by namespace and name; metadata only."""
    found = {}
    async for page in api.list_pages(POLICIES.at(namespace), accept=METADATA_ONLY):
        for item in page["items"] or ():  # none are null, not empty
            metadata = item["metadata"]
            found[metadata["namespace"], metadata["name"]] = PolicyVersion(
                metadata["uid"], metadata.get("generation", 0), metadata["resourceVersion"]
            )
    return found


async def is_served(api: Api, namespaces: Sequence[str] = ()) -> bool:
    """Tell whether the cluster knows policies at all; raise ClusterError if it does not say.

    Any of the namespaces may say so: the rights in some may be gone.
    """
    *others, last = namespaces or ("",)
    for namespace in others:
        with suppress(ForbiddenError):
            return await _is_served_in(api, namespace)
    return await _is_served_in(api, last)


async def _is_served_in(api: Api, namespace: str) -> bool:
    try:
        async for _ in api.list_pages(POLICIES.at(namespace), accept=METADATA_ONLY):
            break
    except NotFoundError:
        return False
    return True


async def read_policy(api: Api, namespace: str, name: str) -> Body:
    """Read one policy as it is; NotFoundError if it is gone."""
    return await api.get(POLICIES.at(namespace, name))


async def read_policies(api: Api, namespace: str) -> list[Body]:
    """Read all policies of a namespace as they are."""
    found: list[Body] = []
    async for page in api.list_pages(POLICIES.at(namespace)):
        found += page["items"] or ()  # none are null, not empty
    return found
