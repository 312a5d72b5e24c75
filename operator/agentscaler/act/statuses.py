"""Write the status of a policy: the operator's only store."""

from typing import Any

from agentscaler.act.calls import METADATA
from agentscaler.act.client import Api
from agentscaler.act.places import POLICIES


async def patch_status(
    api: Api, namespace: str, name: str, status: dict[str, Any], resource_version: str
) -> str:
    """Merge `status` into the policy's, and tell its new version.

    None removes a field, lists are replaced as a whole. Raises ConflictError if the policy is no
    longer at `resource_version`, NotFoundError if it is gone. The version is the guard: a uid in
    such a patch is not checked by the API server.
    """
    body = {"metadata": {"resourceVersion": resource_version}, "status": status}
    place = POLICIES.at(namespace, name, "status")
    patched = await api.patch(place, body, accept=METADATA)  # the status itself is known
    return str(patched["metadata"]["resourceVersion"])
