"""Leave without dropping work: not ready at once, serve what still arrives for a while, then wait.

Kubernetes takes seconds to tell everybody that a pod goes away, so a draining instance keeps
serving for `delay_seconds` before it refuses. All of it ends within `limit_seconds`, which must lie
below the pod's `terminationGracePeriodSeconds`.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from agentscaler.clock import Clock

logger = logging.getLogger(__name__)

Handler = Callable[[int, FrameType | None], Any]


class Drain:
    """One way: serving, then draining (not ready), then refusing, then drained."""

    def __init__(
        self,
        idle: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        delay_seconds: float,
        limit_seconds: float,
    ) -> None:
        self.draining = False
        self.refusing = False
        self._idle = idle
        self._clock = clock
        self._delay_seconds = min(delay_seconds, limit_seconds)
        self._limit_seconds = limit_seconds
        self._task: asyncio.Task[bool] | None = None

    def begin(self) -> asyncio.Task[bool]:
        """Start draining; again is the same drain. Its result: all work ended in time."""
        self.draining = True
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="agentscaler-drain")
        return self._task

    async def _run(self) -> bool:
        logger.info("draining: not ready from now on")
        await self._clock.sleep(self._delay_seconds)
        self.refusing = True
        emptying = asyncio.ensure_future(_awaited(self._idle))
        limit = asyncio.ensure_future(self._clock.sleep(self._limit_seconds - self._delay_seconds))
        try:
            await asyncio.wait({emptying, limit}, return_when=asyncio.FIRST_COMPLETED)
            done = emptying.done()
        finally:
            emptying.cancel()
            limit.cancel()
        logger.info("drained" if done else "drain limit reached with work still under way")
        return done


class TerminationSignal:
    """SIGTERM starts a drain first and reaches the server's own handler when that has ended.

    Servers such as uvicorn stop listening at SIGTERM; the requests that Kubernetes still sends
    would be refused. A second SIGTERM goes straight through.
    """

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._previous: Handler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen = 0

    def install(self) -> bool:
        """Step in front of the server's handler; False where there is none to call later."""
        previous = _chainable(signal.getsignal(signal.SIGTERM))
        if previous is None or threading.current_thread() is not threading.main_thread():
            return False
        self._loop = asyncio.get_running_loop()
        self._previous = previous
        signal.signal(signal.SIGTERM, self._on_signal)
        return True

    def restore(self) -> None:
        """Step aside, unless somebody else has taken the place meanwhile."""
        if self._previous is not None and signal.getsignal(signal.SIGTERM) == self._on_signal:
            signal.signal(signal.SIGTERM, self._previous)
        self._previous = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._seen += 1
        if self._seen > 1 or self._loop is None:
            self._pass_on(number)
        else:
            self._loop.call_soon_threadsafe(self._drain_first, number)

    def _drain_first(self, number: int) -> None:
        self._drain.begin().add_done_callback(lambda _: self._pass_on(number))

    def _pass_on(self, number: int) -> None:
        if self._previous is not None:
            self._previous(number, None)


def _chainable(handler: Handler | int | None) -> Handler | None:
    # asyncio's own handlers work by a wake-up file; the function that stands for them does nothing.
    if callable(handler) and getattr(handler, "__module__", "") != "asyncio.unix_events":
        return handler
    return None


async def _awaited(make: Callable[[], Awaitable[None]]) -> None:
    await make()
