"""What kopf says about policies, passed on as it is."""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from agentscaler import conventions

Note = Callable[[str | None, Mapping[str, Any]], None]
"""Takes the kind of change (None: an object of the first list) and the object."""


def add_policies(handlers: kopf.OperatorRegistry, note: Note) -> None:
    """Hear of every policy that is there, comes, changes or goes."""

    @kopf.on.event(conventions.GROUP, conventions.VERSION, conventions.PLURAL, registry=handlers)
    async def note_policy(event: kopf.RawEvent, **_: Any) -> None:
        note(event["type"], event["object"])
