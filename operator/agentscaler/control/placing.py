"""Whether the scheduler finds nodes for replicas that do not get ready; read only where it matters.

It reads pods where the operator, or whoever asks on the command line, may list them anyway; where
they may not, that is said instead of guessed.
"""

import asyncio
from typing import Final

from agentscaler.act import pods
from agentscaler.act.client import Api
from agentscaler.act.scale import read_scale
from agentscaler.act.targets import Targets
from agentscaler.api.policy import Policy
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.errors import ClusterError, ForbiddenError

# A verdict of once a minute can do without a slow answer.
_PATIENCE_SECONDS: Final = 5.0


async def look(api: Api, targets: Targets, policy: Policy) -> Reading:
    """Count the pods of a policy's target that no node takes, or say why that is not known."""
    try:
        target = targets.find(policy.namespace, policy.spec.scale_target_ref)
    except ClusterError as exc:
        return Missing(Why.UNAVAILABLE, f"the target cannot be read: {exc}")
    return await read_unscheduled(api, policy.namespace, target.selector if target else "")


async def look_once(api: Api, policy: Policy) -> Reading:
    """Do the same where no targets are followed."""
    try:
        scale = await read_scale(api, policy.spec.scale_target_ref, policy.namespace)
    except ClusterError as exc:
        return Missing(Why.UNAVAILABLE, f"the target cannot be read: {exc}")
    return await read_unscheduled(api, policy.namespace, scale.selector)


async def read_unscheduled(api: Api, namespace: str, selector: str) -> Reading:
    """Count the pods of `selector` that no node takes."""
    if not selector:
        return Missing(Why.EMPTY, "the target has no selector of pods")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return float(await pods.count_unscheduled(api, namespace, selector))
    except TimeoutError:
        return Missing(Why.TIMEOUT, "the pods were not listed in time")
    except ForbiddenError:
        return Missing(Why.NOT_ALLOWED, "pods may not be listed")
    except ClusterError as exc:
        return Missing(Why.UNAVAILABLE, f"the pods are not listed: {exc}")
