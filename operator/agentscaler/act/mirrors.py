"""One resource followed where the operator may look: the whole cluster, or some namespaces."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.mirror import Doubt, Mirror, ObjectKey, again
from agentscaler.act.places import Resource
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError

logger: Final = logging.getLogger(__name__)

T = TypeVar("T")
_EVERYWHERE: Final = ""


class Mirrors(Generic[T]):
    """A mirror per namespace, or one for all if `namespaces` is empty; see `Mirror`."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        namespaces: Sequence[str],
        *,
        read: Callable[[Body, T | None], Awaitable[T | None]],
        on_change: Callable[[ObjectKey, T | None, T | None], None],
        clock: Clock,
    ) -> None:
        self._mirrors = {
            namespace: Mirror(
                api, resource.at(namespace), read=read, on_change=on_change, clock=clock
            )
            for namespace in namespaces or (_EVERYWHERE,)
        }
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to follow, in tasks of their own."""
        for mirror in self._mirrors.values():
            for work in (mirror.run(), mirror.read_again()):
                task = asyncio.create_task(work, name=f"follow {mirror.place.path}")
                task.add_done_callback(_tell_of_a_defect)
                self._tasks.append(task)

    async def stop(self) -> None:
        """Stop following; what was seen stays known."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def settled(self) -> None:
        """Wait until each has been listed, or failed to be, once."""
        for mirror in self._mirrors.values():
            await mirror.settled()

    @property
    def synced(self) -> bool:
        """Tell whether each has been listed."""
        return all(mirror.synced for mirror in self._mirrors.values())

    @property
    def trouble(self) -> ClusterError | None:
        """Give the newest reason why one cannot be followed at present."""
        return next((mirror.trouble for mirror in self._mirrors.values() if mirror.trouble), None)

    def age_seconds(self) -> float:
        """Tell how long ago the server last confirmed the oldest copy."""
        return max(mirror.age_seconds() for mirror in self._mirrors.values())

    def find(self, namespace: str, name: str) -> T | None:
        """Give what is kept of an object; None if it does not exist.

        Raises ClusterError while that is not known, with the reason.
        """
        mirror = self._mirror(namespace)
        if not mirror.synced:
            raise again(mirror.trouble or ClusterError(f"{mirror.place.what}: not listed yet"))
        return mirror.find((namespace, name))

    def doubt(self, namespace: str) -> Doubt | None:
        """Tell why what is known of a namespace may lack something; see `Mirror.doubt`."""
        return self._mirror(namespace).doubt()

    def _mirror(self, namespace: str) -> Mirror[T]:
        mirror = self._mirrors.get(namespace) or self._mirrors.get(_EVERYWHERE)
        if mirror is None:
            raise ClusterError(f"namespace {namespace} is not among those that are watched")
        return mirror


def _tell_of_a_defect(task: asyncio.Task[None]) -> None:
    """Say at once that following has ended, which nothing in the cluster can bring about."""
    if not task.cancelled():
        logger.critical("%s ended", task.get_name(), exc_info=task.exception())
