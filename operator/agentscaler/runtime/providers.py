"""What the LLM providers answer: how often ok, refused for their limits, or broken, and the tokens.

The operator needs it to tell a queue that more replicas cure from one that grows because of 429s.
Two places to count, usable together without counting twice: `watch` around a client's method (sees
tokens, but only what is left after the client's own retries) and `transports.metered` around its
HTTP transport (sees every attempt).
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Final, ParamSpec, TypeVar, cast

from prometheus_client import REGISTRY, CollectorRegistry

from agentscaler import conventions
from agentscaler.clock import Clock, SystemClock
from agentscaler.runtime import metrics, telemetry
from agentscaler.runtime.identity import Identity
from agentscaler.runtime.streams import CountedStream
from agentscaler.runtime.usage import Usage

PROVIDER_LABEL: Final = conventions.PROVIDER_LABEL
LLM_TOKENS: Final = "agent_llm_tokens_total"
TOKEN_TYPE_LABEL: Final = "type"  # noqa: S105 - tokens of text

OUTCOME_RATE_LIMITED: Final = conventions.OUTCOME_RATE_LIMITED
OUTCOME_SERVER_ERROR: Final = "server_error"
OUTCOME_CLIENT_ERROR: Final = "client_error"
OUTCOME_NO_RESPONSE: Final = "no_response"
OUTCOME_CANCELLED: Final = "cancelled"

_OVERLOADED: Final = 529  # not registered, but used by providers for "too many of you all"

Params = ParamSpec("Params")
Answer = TypeVar("Answer")


def outcome_of_status(status: int) -> str:
    """Group a provider's HTTP status by who has to react."""
    if status in (HTTPStatus.TOO_MANY_REQUESTS, _OVERLOADED):
        return OUTCOME_RATE_LIMITED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OUTCOME_SERVER_ERROR
    return OUTCOME_CLIENT_ERROR if status >= HTTPStatus.BAD_REQUEST else conventions.OUTCOME_OK


def outcome_of_error(error: BaseException) -> str:
    """Group a client's exception, by the status that it carries if the provider answered."""
    if isinstance(error, asyncio.CancelledError):
        return OUTCOME_CANCELLED
    status = getattr(error, "status_code", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    return outcome_of_status(status) if isinstance(status, int) else OUTCOME_NO_RESPONSE


class Call:
    """One call under way; `end` it exactly once, later ends have no effect."""

    __slots__ = ("_counted", "_ended", "_model", "_operation", "_pending", "_started", "meter")

    def __init__(
        self, meter: "ProviderMeter", operation: str, model: str, *, pending: bool = True
    ) -> None:
        self.meter = meter
        self._operation = operation
        self._model = model
        self._ended = False
        self._counted = True
        self._pending = pending
        self._started = meter.clock.monotonic()
        if pending:
            meter.pending.inc()

    def end(self, outcome: str, usage: Usage | None = None) -> None:
        """Count how it ended, and the tokens if the provider told them."""
        if self._ended:
            return
        self._ended = True
        if self._pending:
            self.meter.pending.dec()
        if self._counted:
            self.meter.count(outcome)
        if self._operation:
            seconds = self.meter.clock.monotonic() - self._started
            self.meter.tell(self._operation, self._model, outcome, seconds)
        if usage is not None:
            self.meter.note_usage(usage, self._operation, self._model)

    def fail(self, error: BaseException) -> None:
        """Count that it ended with `error`."""
        self.end(outcome_of_error(error))

    @contextmanager
    def above(self) -> Iterator[None]:
        """Let metered transports in the block count the responses in place of this call."""
        token = _watched.set(self)
        try:
            yield
        finally:
            _watched.reset(token)

    def leave_counting(self) -> None:
        """Count no response: somebody closer to the wire does."""
        self._counted = False


_watched: ContextVar[Call | None] = ContextVar("agentscaler_llm_call", default=None)


class ProviderMeter:
    """Counts the calls of this instance to one provider."""

    def __init__(
        self,
        provider: str,
        identity: Identity,
        *,
        registry: CollectorRegistry = REGISTRY,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self._provider = provider
        self._labels = metrics.label_values(identity)
        self._responses = metrics.counter(
            registry,
            conventions.LLM_RESPONSES,
            "How calls to a provider ended.",
            PROVIDER_LABEL,
            conventions.OUTCOME_LABEL,
        )
        self._tokens = metrics.counter(
            registry, LLM_TOKENS, "Tokens sent and received.", PROVIDER_LABEL, TOKEN_TYPE_LABEL
        )
        pending = metrics.gauge(registry, conventions.PENDING_LLM_CALLS, "Calls under way.")
        self.pending = pending.labels(*self._labels)
        self._telemetry = telemetry.GenAiMetrics()
        # Present from the start, so that the first 429 is a rise and not a series out of nowhere.
        for outcome in (conventions.OUTCOME_OK, OUTCOME_RATE_LIMITED, OUTCOME_SERVER_ERROR):
            self._responses.labels(*self._labels, provider, outcome)

    def watch(
        self, create: Callable[Params, Awaitable[Answer]], operation: str = "chat"
    ) -> Callable[Params, Coroutine[Any, Any, Answer]]:
        """Wrap a client's method, such as `client.chat.completions.create`.

        A streamed answer is under way until it is read to its end or closed.
        """

        @functools.wraps(create)
        async def watched(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
            call = Call(self, operation, str(kwargs.get("model", "")))
            try:
                with call.above():
                    answer = await create(*args, **kwargs)
            except BaseException as error:
                call.fail(error)
                raise
            if hasattr(answer, "__aiter__"):
                return cast(Answer, CountedStream(answer, call))
            call.end(conventions.OUTCOME_OK, Usage.of(answer))
            return answer

        return watched

    def attempt(self) -> Call:
        """Begin one HTTP request, for a transport; it counts instead of a watched call above it."""
        watched = _watched.get()
        if watched is None or watched.meter is not self:
            return Call(self, "", "")
        watched.leave_counting()
        return Call(self, "", "", pending=False)

    async def note_response(self, response: Any) -> None:
        """Count a response, as an event hook: `httpx.AsyncClient(event_hooks={"response": [...]})`.

        Sees neither calls under way nor those that get no response; a metered transport does.
        """
        self.count(outcome_of_status(response.status_code))

    def count(self, outcome: str) -> None:
        """Count one ended call."""
        self._responses.labels(*self._labels, self._provider, outcome).inc()

    def note_usage(self, usage: Usage, operation: str = "chat", model: str = "") -> None:
        """Count the tokens of one call."""
        for kind, count in (("input", usage.input), ("output", usage.output)):
            if count:
                self._tokens.labels(*self._labels, self._provider, kind).inc(count)
                said = self._attributes(operation, model) | {telemetry.TOKEN_TYPE: kind}
                self._telemetry.record(telemetry.TOKEN_USAGE, count, said)

    def tell(self, operation: str, model: str, outcome: str, seconds: float) -> None:
        """Record the call's duration under its OpenTelemetry name."""
        said = self._attributes(operation, model)
        if outcome != conventions.OUTCOME_OK:
            said[telemetry.ERROR_TYPE] = outcome
        self._telemetry.record(telemetry.OPERATION_DURATION, seconds, said)

    def _attributes(self, operation: str, model: str) -> dict[str, telemetry.Attribute]:
        said: dict[str, telemetry.Attribute] = {
            telemetry.OPERATION_NAME: operation,
            telemetry.PROVIDER_NAME: self._provider,
        }
        if model:
            said[telemetry.REQUEST_MODEL] = model
        return said
