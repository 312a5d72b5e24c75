"""The real client, connected to the fake API server, with a clock that hurries."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from agentscaler.act.client import Api, Limits, connect
from agentscaler.clock import SystemClock
from tests.fakes.apiserver import FakeApiServer

QUICK = Limits(per_second=10_000.0, burst=1_000, timeout_seconds=1.0, silence_seconds=0.3)
# The operator's own patience: hundreds of answers, or ten megabytes, in a second is no fault.
PATIENT = Limits(per_second=10_000.0, burst=1_000)


class HurriedClock(SystemClock):
    """The real clock, a hundred times faster, so that pauses of seconds are over in a moment."""

    def monotonic(self) -> float:
        return 100 * super().monotonic()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 100)


class ManualClock:
    """A clock that moves only when somebody sleeps by it."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.start

    def monotonic(self) -> float:
        return 1000.0 + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(
    folder: Path,
    *,
    limits: Limits = QUICK,
    may_write: Callable[[], bool] = lambda: True,
    token: str = "",
) -> AsyncIterator[tuple[FakeApiServer, Api]]:
    """Start a server and connect to it."""

    async def allowed() -> bool:
        return may_write()

    async with FakeApiServer() as server:
        api = await connect(
            server.kubeconfig(folder, token),
            clock=HurriedClock(),
            limits=limits,
            may_write=allowed,
        )
        try:
            yield server, api
        finally:
            await api.close()


async def until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    """Wait until a condition holds; fail if it does not in time.

    A watch that was refused for long comes back only after up to half a minute.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nothing here signals a change
            await asyncio.sleep(0.002)
