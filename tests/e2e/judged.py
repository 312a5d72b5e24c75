"""What the API server says of a policy, whoever it asked."""

import json

from agentscaler import conventions
from tests.bed import BedError
from tests.bed.processes import wait_until
from tests.e2e.worlds import World


def said_of(world: World, name: str, **spec: object) -> str:
    """Ask what the server would say of a policy on the agent; nothing is stored."""
    policy = {
        "apiVersion": conventions.API_VERSION,
        "kind": conventions.KIND,
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"name": "agent"}, **spec},
    }
    try:
        world.kubectl(
            "create", "--filename=-", "--dry-run=server", "--warnings-as-errors",
            stdin=json.dumps(policy),
        )  # fmt: skip
    except BedError as exc:
        return str(exc)
    return ""


def until_said(words: str, world: World, name: str, **spec: object) -> None:
    """Ask until the server says it: it takes up the configuration in its own time."""
    wait_until(lambda: words in said_of(world, name, **spec), within=60, what=f"{words!r}")
