"""The watch of policies by kopf, as tasks of this process, and what has to come first."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

import kopf

from agentscaler import conventions
from agentscaler.act.client import Api
from agentscaler.act.policies import is_served
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError, UsageError
from agentscaler.handlers import lifecycle, policies
from agentscaler.handlers.policies import Note
from agentscaler.report import logs

Tasks: TypeAlias = Collection["asyncio.Task[None]"]

_RETRY_SECONDS: Final = 1.0
_NO_CRD: Final = (
    f"the cluster does not know {conventions.KIND}: apply crds/agentscalingpolicies.yaml, or "
    "install the chart with crds.enabled=true"
)
_LOG: Final = logs.logger("agentscaler")


async def is_known(api: Api, namespaces: Sequence[str], stop: asyncio.Event, clock: Clock) -> bool:
    """Be sure that the cluster knows the kind: kopf would wait for it in vain, and silently.

    Raise UsageError where it does not; give False if told to stop while nobody answers.
    """
    while not stop.is_set():
        try:
            if await is_served(api, namespaces):
                return True
        except ClusterError as exc:
            _LOG.warning("policies not listed", error=str(exc))
            await clock.sleep(_RETRY_SECONDS)
        else:
            raise UsageError(_NO_CRD)
    return False


async def begin(
    api: Api, namespaces: Sequence[str], note: Note, stop: asyncio.Event
) -> tuple[Tasks, asyncio.Event]:
    """Begin to watch until `stop`; give kopf's tasks, and what is set once all are listed.

    Not by kopf.operator: in the end that waits for all other tasks of the process, which are not
    its own, and after five seconds cancels them.
    """
    handlers = kopf.OperatorRegistry()
    lifecycle.add_login(handlers, api.login)
    policies.add_policies(handlers, note)
    listed = asyncio.Event()
    tasks = await kopf.spawn_tasks(
        registry=handlers,
        settings=lifecycle.settings(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
        ready_flag=listed,
    )
    return tasks, listed
