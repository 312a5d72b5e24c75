"""A streamed answer that tells when it has ended, however it ends."""

from types import TracebackType
from typing import Any, Protocol, Self

from agentscaler import conventions
from agentscaler.runtime.usage import Usage


class Countable(Protocol):
    """A call that ends with its stream."""

    def end(self, outcome: str, usage: Usage | None = None) -> None:
        """Count how it ended."""
        ...

    def fail(self, error: BaseException) -> None:
        """Count that it ended with `error`."""
        ...


class CountedStream:
    """Stands for a client's stream: everything passes, the end is counted once."""

    def __init__(self, stream: Any, call: Countable) -> None:
        self._stream = stream
        self._call = call
        self._usage = Usage()
        self._iterator = aiter(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            event = await anext(self._iterator)
        except StopAsyncIteration:
            self._end()
            raise
        except BaseException as error:
            self._call.fail(error)
            raise
        self._usage = self._usage.with_newer(Usage.of(event))
        return event

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._end()
        await self._stream.__aexit__(kind, error, where)

    async def close(self) -> None:
        """Close the stream; what came of it so far counts as ok."""
        self._end()
        await self._stream.close()

    def __del__(self) -> None:
        self._end()  # neither read to its end nor closed: no longer under way in any case

    def _end(self) -> None:
        self._call.end(conventions.OUTCOME_OK, self._usage)
