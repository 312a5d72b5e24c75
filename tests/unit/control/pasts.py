"""Histories as Prometheus would have them, clocks on which pauses wait, forecasts made of both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from agentscaler.api.policy import Policy
from agentscaler.control.forecasts import Forecasts
from agentscaler.forecast.outlook import Outlook
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.recorded import Recorder, Series
from agentscaler.observe.sources import NO_SECRETS, SecretKey
from agentscaler.observe.timelines import Loads
from tests.unit.observe.worlds import NOON, policy


class Past(Recorder):
    """Histories of a steady load, as far as they can be had."""

    def __init__(self, load: float = 8.0) -> None:
        self.load = load
        self.unknown: set[str] = set()
        self.asked: list[tuple[list[str], timedelta, timedelta]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def fetch_history(
        self,
        policies: Iterable[Policy],
        *,
        now: datetime,
        span: timedelta,
        step: timedelta,
        secrets: Mapping[SecretKey, Credentials] = NO_SECRETS,
    ) -> dict[str, Series]:
        keys = [each.key for each in policies]
        self.asked.append((keys, span, step))
        await asyncio.sleep(0)
        self.meanwhile()
        count = int(span / step)
        start = now - span
        times: Loads = (
            start.timestamp() + (np.arange(count, dtype=np.float64) + 0.5) * step.total_seconds()
        )
        return {
            key: Series(start, step, times, np.full(count, self.load))
            for key in keys
            if key not in self.unknown
        }


class Pauses:
    """A clock that stands, and on which every pause waits for the test."""

    def __init__(self, date: datetime = NOON) -> None:
        self.date = date
        self.begun: list[float] = []
        self.over = asyncio.Event()

    def now(self) -> datetime:
        return self.date

    def monotonic(self) -> float:
        return 1000.0

    async def sleep(self, seconds: float) -> None:
        self.begun.append(seconds)
        await self.over.wait()
        self.over.clear()


def made(past: Past | None = None, clock: Pauses | None = None) -> Forecasts:
    return Forecasts(past or Past(), lambda: NO_SECRETS, clock or Pauses())


def observing(name: str = "research", **prediction: Any) -> Policy:
    return policy(name, prediction={"mode": "Observe", "history": "1h", **prediction})


@asynccontextmanager
async def filling(forecasts: Forecasts) -> AsyncIterator[None]:
    task = asyncio.create_task(forecasts.fill())
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def expected(outlook: Outlook | None) -> float:
    assert outlook is not None
    return outlook.expected
