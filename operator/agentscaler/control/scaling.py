"""Carry a decision out: set the count that was decided, on the version that was decided on."""

from collections.abc import Callable

from agentscaler.act.client import Api
from agentscaler.act.scale import patch_replicas, read_scale
from agentscaler.api.policy import Policy
from agentscaler.decide.decision import Decision
from agentscaler.errors import ClusterError, ConflictError, ForbiddenError, NotFoundError

_TRIES = 4


async def carry_out(
    api: Api, policy: Policy, decision: Decision, seen: str, *, is_wanted: Callable[[], bool]
) -> tuple[str, ...]:
    """Set the decided count; raise ConflictError if the count is not the one decided from.

    So it is if that is not wanted any more, which is asked after all waiting.
    `seen` is the version of the target that was decided on. Controllers write an object's status
    at any time, which makes a new version of it. Such a change leaves the count alone, so the
    object is read and the patch repeated. Gives the versions that were tried: none of them knows
    of the count that was set.
    """
    ref, tried = policy.spec.scale_target_ref, [seen]
    while True:
        await api.right_to_write("scale")
        if not is_wanted():
            raise ConflictError(f"{policy.key} changed, or went, while its scaling waited")
        try:
            await patch_replicas(api, ref, policy.namespace, decision.replicas, version=tried[-1])
        except ConflictError:
            if len(tried) == _TRIES:
                raise
        else:
            return tuple(tried)
        scale = await read_scale(api, ref, policy.namespace)
        if scale.replicas != decision.current:
            raise ConflictError(
                f"somebody set {ref.kind}/{ref.name} to {scale.replicas} replicas meanwhile"
            )
        tried.append(scale.resource_version)


async def is_undone(api: Api, policy: Policy, decision: Decision) -> bool:
    """Tell whether a failed scaling is known not to have been carried out.

    A write that is not answered may have been done all the same.
    """
    try:
        scale = await read_scale(api, policy.spec.scale_target_ref, policy.namespace)
    except (NotFoundError, ForbiddenError):
        return True
    except ClusterError:
        return False
    return scale.replicas != decision.replicas
