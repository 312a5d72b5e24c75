"""Count a provider's responses at the HTTP transport of its client, retries included.

Works on the asynchronous transports of httpx and of its successors by their common shape, so that
the kit depends on none of them:

    transport = metered(meter, httpx.AsyncHTTPTransport())
    client = AsyncOpenAI(http_client=httpx.AsyncClient(transport=transport))
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, TypeVar, cast

from agentscaler.runtime.providers import Call, ProviderMeter, outcome_of_status

Transport = TypeVar("Transport")


def metered(meter: ProviderMeter, transport: Transport) -> Transport:
    """Count what passes through `transport`, in place, and give it back.

    A call is under way until its response body is closed, and ends as its status says, or as
    `no_response` if it or the reading of its body fails.
    """
    open_transport = cast(Any, transport)
    send = open_transport.handle_async_request

    async def counted(request: Any) -> Any:
        call = meter.attempt()
        try:
            response = await send(request)
        except BaseException as error:
            call.fail(error)
            raise
        if response.is_closed:  # read already, as those of caches are: nobody will close it
            call.end(outcome_of_status(response.status_code))
        else:
            response.stream = _counted_body(response, call)
        return response

    open_transport.handle_async_request = counted
    return transport


def _counted_body(response: Any, call: Call) -> Any:
    library = type(response).__module__.partition(".")[0]
    return _body_class(library)(response.stream, call, outcome_of_status(response.status_code))


@lru_cache(maxsize=8)
def _body_class(library: str) -> Any:
    """Make the body class of one library: its client insists on a subclass of its own type."""
    base: Any = sys.modules[library].AsyncByteStream

    class CountedBody(base):  # type: ignore[misc]
        """A response body that tells when it is done with."""

        def __init__(self, body: Any, call: Call, outcome: str) -> None:
            self._body = body
            self._call = call
            self._outcome = outcome

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._body:
                    yield chunk
            except (Exception, asyncio.CancelledError) as error:
                self._call.fail(error)
                raise

        async def aclose(self) -> None:
            self._call.end(self._outcome)
            await self._body.aclose()

    return CountedBody
