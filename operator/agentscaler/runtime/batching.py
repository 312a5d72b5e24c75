"""Many callers, one call: requests are gathered and sent on together.

No locks: what is gathered changes only between two awaits of one event loop, and each batch runs in
a task of its own, so callers go on submitting while it does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from agentscaler.clock import Clock, SystemClock
from agentscaler.runtime.errors import BatchFailedError, QueueFullError, ShuttingDownError
from agentscaler.runtime.sizing import AdaptiveSize

Request = TypeVar("Request")
Result = TypeVar("Result")
Process = Callable[[Sequence[Request]], Awaitable[Sequence[Result | Exception]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """When a batch goes out and how many may be under way.

    `adaptive` lets the size follow the load instead of staying at `max_size`. `retry_alone` sends
    the requests of a failed batch once more, one by one, so that a bad one fails alone: only for
    work that may be done twice.
    """

    max_size: int = 10
    max_wait_seconds: float = 0.1
    max_under_way: int = 4
    max_pending: int = 1000
    adaptive: AdaptiveSize | None = None
    retry_alone: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes with which no batch would ever go."""
        if min(self.max_size, self.max_under_way, self.max_pending) < 1:
            raise ValueError("max_size, max_under_way and max_pending must be at least 1")
        if self.max_wait_seconds < 0:
            raise ValueError("max_wait_seconds must not be negative")


@dataclass(frozen=True, slots=True)
class BatcherStats:
    """What a batcher has done and holds."""

    batches: int
    requests: int
    pending: int
    under_way: int
    size: int


@dataclass(slots=True, eq=False)
class _Call(Generic[Request, Result]):
    request: Request
    answer: asyncio.Future[Result]
    due: float


class Batcher(Generic[Request, Result]):
    """Gather requests; `process` gets them in order and gives one result each, in the same order.

    In place of a result it may give an exception, which then is that caller's alone.
    """

    def __init__(
        self,
        process: "Process[Request, Result]",
        options: BatchOptions | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._process = process
        self._options = options or BatchOptions()
        self._clock = clock or SystemClock()
        self._size = self._options.max_size
        self._pending: deque[_Call[Request, Result]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._batches = 0
        self._requests = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def submit(self, request: Request) -> Result:
        """Give `request` to the next batch and wait for its result.

        Raises what `process` gave for it, `BatchFailedError` if the batch failed as a whole,
        `QueueFullError` or `ShuttingDownError` if it was not taken.
        """
        if self._closed:
            raise ShuttingDownError("the batcher is closed")
        if len(self._pending) >= self._options.max_pending:
            raise QueueFullError(f"{self._options.max_pending} requests wait for a batch already")
        loop = asyncio.get_running_loop()
        due = loop.time() + self._options.max_wait_seconds
        call = _Call[Request, Result](request, loop.create_future(), due)
        self._pending.append(call)
        self._send_ready()
        try:
            return await call.answer
        except asyncio.CancelledError:
            with suppress(ValueError):  # sent already: the batch goes on without this caller
                self._pending.remove(call)
            raise

    async def aclose(self) -> None:
        """Take nothing more, send what is pending, wait for its end."""
        self._closed = True
        while self._pending or self._under_way:
            self._send_ready()
            if self._under_way:
                await asyncio.wait(self._under_way)

    def stats(self) -> BatcherStats:
        """Tell what was done and what is held."""
        return BatcherStats(
            self._batches, self._requests, len(self._pending), len(self._under_way), self._size
        )

    def _send_ready(self) -> None:
        """Start each batch that is full or due, as far as there is room for it."""
        while self._room() and self._is_ready():
            batch = self._taken()
            if batch:
                self._start(batch)
        if self._timer is None and self._room():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._pending[0].due, self._time_is_up)

    def _room(self) -> bool:
        return bool(self._pending) and len(self._under_way) < self._options.max_under_way

    def _is_ready(self) -> bool:
        if self._closed or len(self._pending) >= self._size:
            return True
        return self._pending[0].due <= asyncio.get_running_loop().time()

    def _taken(self) -> list[_Call[Request, Result]]:
        """Take the next batch off the line, without those whose callers have gone."""
        if self._timer is not None:
            self._timer.cancel()  # it was the oldest one's; the next in line gets its own
            self._timer = None
        count = min(self._size, len(self._pending))
        taken = [self._pending.popleft() for _ in range(count)]
        return [call for call in taken if not call.answer.done()]

    def _time_is_up(self) -> None:
        self._timer = None
        self._send_ready()

    def _start(self, batch: list[_Call[Request, Result]]) -> None:
        self._batches += 1
        self._requests += len(batch)
        task = asyncio.create_task(self._run(batch), name="agentscaler-batch")
        self._under_way.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._send_ready()

    async def _run(self, batch: list[_Call[Request, Result]]) -> None:
        started = self._clock.monotonic()
        try:
            await self._serve(batch)
        except asyncio.CancelledError:
            for call in batch:
                _answer(call.answer, ShuttingDownError("the batch was cancelled"))
            raise
        if self._options.adaptive is not None:
            seconds = self._clock.monotonic() - started
            self._size = self._options.adaptive.after(self._size, len(self._pending), seconds)

    async def _serve(self, batch: list[_Call[Request, Result]]) -> None:
        try:
            results = await self._process([call.request for call in batch])
            if len(results) != len(batch):
                raise BatchFailedError(f"{len(results)} results for {len(batch)} requests")  # noqa: TRY301
        except Exception as exc:  # noqa: BLE001 - whatever it is, the callers are told
            if self._options.retry_alone and len(batch) > 1:
                await asyncio.gather(*(self._serve([call]) for call in batch))
                return
            results = [_failure(exc, len(batch)) for _ in batch]
        for call, result in zip(batch, results, strict=True):
            _answer(call.answer, result)


def _failure(cause: Exception, size: int) -> BatchFailedError:
    """Tell one caller; an exception of its own, because a traceback belongs to one task."""
    failure = BatchFailedError(f"the batch of {size} failed: {cause!r}")
    failure.__cause__ = cause
    return failure


def _answer(answer: asyncio.Future[Result], result: Result | Exception) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
