"""Post Events that `report` has rendered: the same name twice is one Event that happened again."""

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import EVENTS
from agentscaler.errors import ConflictError


async def post_event(api: Api, event: Body) -> None:
    """Create the Event, or update the count and the time of the one of the same name."""
    metadata = event["metadata"]
    try:
        await api.create(EVENTS.at(metadata["namespace"]), event)
    except ConflictError:
        again = {field: event[field] for field in ("count", "lastTimestamp", "message")}
        await api.patch(EVENTS.at(metadata["namespace"], metadata["name"]), again)
