"""What the middleware costs a request: the same service with and without it, turn by turn."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import psutil

from tests.benchmarks.runtime.load import asked

# Short and many: a neighbour's load then falls on both alike.
TURNS: Final = 31
TURN_SECONDS: Final = 0.5


@dataclass
class Served:
    """A running service: the rates of its turns, and what they cost it in all."""

    port: int
    process: psutil.Process
    rates: list[float] = field(default_factory=list)
    answers: int = 0
    cpu_seconds: float = 0.0

    @property
    def cpu_micros(self) -> float:
        """CPU time that one answer took, in microseconds."""
        return self.cpu_seconds / self.answers * 1e6

    async def take_turn(self, seconds: float, *, counted: bool = True) -> None:
        """Serve for a while."""
        before = self.process.cpu_times()
        began = time.perf_counter()
        answers = await asked(self.port, seconds)
        took = time.perf_counter() - began
        after = self.process.cpu_times()
        if counted:
            self.rates.append(answers / took)
            self.answers += answers
            self.cpu_seconds += after.user + after.system - before.user - before.system


@dataclass(frozen=True)
class Overhead:
    """The comparison, by the medians over all turns; the ratio is paired by turn."""

    kind: str
    rate_without: float
    rate_with: float
    rate_ratio: float
    cpu_without: float
    cpu_with: float

    @property
    def cpu_added(self) -> float:
        """Microseconds that one request costs more."""
        return self.cpu_with - self.cpu_without


def measured(kind: str) -> Overhead:
    """Compare one kind of application."""
    with served(kind, "without") as without, served(kind, "with") as wrapped:
        asyncio.run(_turns(without, wrapped))
    pairs = zip(wrapped.rates, without.rates, strict=True)
    return Overhead(
        kind=kind,
        rate_without=median(without.rates),
        rate_with=median(wrapped.rates),
        rate_ratio=median(one / other for one, other in pairs),
        cpu_without=without.cpu_micros,
        cpu_with=wrapped.cpu_micros,
    )


async def _turns(without: Served, wrapped: Served) -> None:
    for each in (without, wrapped):
        await each.take_turn(TURN_SECONDS, counted=False)  # warm
    for turn in range(TURNS):
        pair = (without, wrapped) if turn % 2 else (wrapped, without)
        for each in pair:
            await each.take_turn(TURN_SECONDS)


@contextmanager
def served(kind: str, wrapped: str) -> Iterator[Served]:
    """Run one service for the time of the block."""
    command = [sys.executable, "-m", "tests.benchmarks.runtime.served", kind, wrapped]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            asyncio.run(_listening(port))
            yield Served(port, psutil.Process(process.pid))
        finally:
            process.kill()


async def _listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
