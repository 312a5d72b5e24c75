"""Ask the API server which resource serves a kind, and whether it can be scaled."""

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import Kind, Place, Resource, group_path
from agentscaler.errors import NotFoundError, NotScalableError


async def scalable(api: Api, kind: Kind) -> Resource:
    """Find the collection of `kind`; asked once, remembered in `api.scalable`.

    Raises NotFoundError if the cluster does not know the kind, NotScalableError if its objects
    have no namespace or no `/scale`.
    """
    if kind not in api.scalable:
        api.scalable[kind] = _pick(kind, await _resources(api, kind))
    return api.scalable[kind]


async def _resources(api: Api, kind: Kind) -> list[Body]:
    try:
        served = await api.get(Place(group_path(kind.api_version), "discovery"))
    except NotFoundError as exc:
        raise NotFoundError(f"the cluster serves no API {kind.api_version!r}: {exc}") from exc
    return served.get("resources") or []


def _pick(kind: Kind, resources: list[Body]) -> Resource:
    by_name = {entry["name"]: entry for entry in resources}
    for name, entry in by_name.items():
        if entry["kind"] != kind.name or "/" in name:
            continue
        if not entry["namespaced"]:
            raise NotScalableError(f"{kind} cannot be a target: its objects have no namespace")
        if f"{name}/scale" not in by_name:
            raise NotScalableError(f"{kind} cannot be a target: it has no /scale subresource")
        return Resource(kind.api_version, name)
    raise NotFoundError(f"the cluster knows no kind {kind.name!r} in {kind.api_version!r}")
