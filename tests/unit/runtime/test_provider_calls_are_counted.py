"""Provider calls: outcomes, tokens, calls under way, each counted once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from opentelemetry import metrics as otel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from agentscaler.runtime import telemetry
from agentscaler.runtime.providers import ProviderMeter, outcome_of_error, outcome_of_status
from agentscaler.runtime.transports import metered
from agentscaler.runtime.usage import Usage
from tests.unit.runtime.worlds import LABELS, POD, ManualClock, settle


class Counted:
    """A meter and what it exported."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.clock = ManualClock()
        self.meter = ProviderMeter("openai", POD, registry=self.registry, clock=self.clock)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, LABELS | labels) or 0

    def outcomes(self) -> dict[str, float]:
        (family,) = (each for each in self.registry.collect() if each.name == "agent_llm_responses")
        return {
            sample.labels["outcome"]: sample.value
            for sample in family.samples
            if sample.name.endswith("_total") and sample.value
        }

    def tokens(self) -> tuple[float, float]:
        sent, received = (
            self.metric("agent_llm_tokens_total", provider="openai", type=kind)
            for kind in ("input", "output")
        )
        return sent, received

    @property
    def pending(self) -> float:
        return self.metric("agent_pending_llm_calls")


class StatusError(Exception):
    """What openai-like clients raise for an answer that is none."""

    def __init__(self, status: int) -> None:
        self.status_code = status


def completion(sent: int, received: int) -> SimpleNamespace:
    usage = SimpleNamespace(prompt_tokens=sent, completion_tokens=received)
    return SimpleNamespace(text="hello", usage=usage)


class Stream:
    """A streamed answer, as openai-like clients give it."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.closed = False
        self.response = "the raw one"

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"),
        (302, "ok"),
        (400, "client_error"),
        (429, "rate_limited"),
        (529, "rate_limited"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_statuses_are_grouped_by_who_has_to_react(status: int, outcome: str) -> None:
    assert outcome_of_status(status) == outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StatusError(429), "rate_limited"),
        (TimeoutError(), "no_response"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_errors_are_grouped_by_what_the_provider_said(error: BaseException, outcome: str) -> None:
    assert outcome_of_error(error) == outcome


def test_error_of_an_http_client_carries_its_response() -> None:
    request = httpx.Request("GET", "http://llm")
    error = httpx.HTTPStatusError("no", request=request, response=httpx.Response(503))
    assert outcome_of_error(error) == "server_error"


def test_series_exist_before_the_first_refusal() -> None:
    counted = Counted()
    labels = LABELS | {"provider": "openai", "outcome": "rate_limited"}
    assert counted.registry.get_sample_value("agent_llm_responses_total", labels) == 0


async def test_watched_call_is_pending_until_its_answer_and_counts_its_tokens() -> None:
    counted = Counted()
    answered = asyncio.Event()

    async def create(*, model: str) -> SimpleNamespace:
        await answered.wait()
        return completion(10, 20)

    asking = asyncio.create_task(counted.meter.watch(create)(model="small"))
    await settle()
    assert counted.pending == 1
    answered.set()
    assert (await asking).text == "hello"
    assert counted.pending == 0
    assert counted.outcomes() == {"ok": 1}
    assert counted.tokens() == (10, 20)


@pytest.mark.parametrize(
    ("error", "outcome"), [(StatusError(429), "rate_limited"), (OSError(), "no_response")]
)
async def test_failed_call_is_counted_and_still_fails(error: Exception, outcome: str) -> None:
    counted = Counted()

    async def create() -> None:
        raise error

    with pytest.raises(type(error)):
        await counted.meter.watch(create)()
    assert (counted.pending, counted.outcomes()) == (0, {outcome: 1})


async def test_cancelled_call_is_no_longer_pending() -> None:
    counted = Counted()
    asking = asyncio.create_task(counted.meter.watch(asyncio.Event().wait)())
    await settle()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert (counted.pending, counted.outcomes()) == (0, {"cancelled": 1})


async def streamed(counted: Counted, *events: Any) -> Any:
    async def create(*, stream: bool) -> Stream:
        return Stream(*events)

    return await counted.meter.watch(create)(stream=True)


async def test_stream_is_pending_until_it_is_read_to_its_end() -> None:
    counted = Counted()
    stream = await streamed(counted, "a", "b", completion(3, 4))
    assert stream.response == "the raw one"
    assert await anext(stream) == "a"
    assert counted.pending == 1
    assert [str(event) async for event in stream][:1] == ["b"]
    assert (counted.pending, counted.outcomes()) == (0, {"ok": 1})
    assert counted.tokens() == (3, 4)


async def test_stream_that_is_left_early_is_no_longer_pending() -> None:
    counted = Counted()
    async with await streamed(counted, "a", "b") as stream:
        assert await anext(stream) == "a"
    assert stream._stream.closed
    closed = await streamed(counted, "a")
    await closed.close()
    assert (counted.pending, counted.outcomes()) == (0, {"ok": 2})


async def test_stream_that_is_forgotten_is_no_longer_pending() -> None:
    counted = Counted()
    stream = await streamed(counted, "a")
    del stream
    assert (counted.pending, counted.outcomes()) == (0, {"ok": 1})


async def test_stream_that_breaks_is_counted_as_broken() -> None:
    counted = Counted()
    stream = await streamed(counted, "a", ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        [event async for event in stream]
    assert (counted.pending, counted.outcomes()) == (0, {"no_response": 1})


@pytest.mark.parametrize(
    "answer",
    [
        {"usage": {"input_tokens": 3, "output_tokens": 4}},
        SimpleNamespace(message=SimpleNamespace(usage={"input_tokens": 3, "output_tokens": 4})),
        {"response": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}},
    ],
    ids=["dictionary", "message event", "response event"],
)
def test_usage_is_read_in_every_shape(answer: Any) -> None:
    assert Usage.of(answer) == Usage(3, 4)


def test_usage_is_zero_when_none_is_told() -> None:
    assert Usage.of("text") == Usage.of({"usage": None}) == Usage(0, 0)


def answering(*statuses: int) -> httpx.AsyncBaseTransport:
    remaining = iter(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        status = next(remaining)
        if not status:
            raise httpx.ConnectError("refused")
        return httpx.Response(status, json={"usage": {}})

    return httpx.MockTransport(answer)


async def test_metered_transport_counts_every_attempt() -> None:
    counted = Counted()
    transport = metered(counted.meter, answering(429, 500, 200))
    async with httpx.AsyncClient(transport=transport) as client:
        statuses = [(await client.get("http://llm")).status_code for _ in range(3)]
    assert statuses == [429, 500, 200]
    assert counted.outcomes() == {"rate_limited": 1, "server_error": 1, "ok": 1}
    assert counted.pending == 0


async def test_metered_transport_counts_what_gets_no_response() -> None:
    counted = Counted()
    async with httpx.AsyncClient(transport=metered(counted.meter, answering(0))) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://llm")
    assert (counted.pending, counted.outcomes()) == (0, {"no_response": 1})


async def test_metered_transport_counts_a_body_as_pending_until_it_is_closed() -> None:
    counted = Counted()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"

    inner = httpx.MockTransport(lambda request: httpx.Response(200, content=body()))
    transport = metered(counted.meter, inner)
    async with (
        httpx.AsyncClient(transport=transport) as client,
        client.stream("GET", "http://llm"),
    ):
        assert counted.pending == 1
    assert (counted.pending, counted.outcomes()) == (0, {"ok": 1})


async def test_metered_transport_tells_a_body_that_breaks() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise httpx.ReadError("cut")

    counted = Counted()
    inner = httpx.MockTransport(lambda request: httpx.Response(200, content=broken()))
    async with httpx.AsyncClient(transport=metered(counted.meter, inner)) as client:
        with pytest.raises(httpx.ReadError):
            await client.get("http://llm")
    assert (counted.pending, counted.outcomes()) == (0, {"no_response": 1})


async def test_call_that_is_watched_above_a_metered_transport_is_counted_once() -> None:
    counted = Counted()
    transport = metered(counted.meter, answering(429, 200))
    async with httpx.AsyncClient(transport=transport) as client:

        async def create() -> Any:
            while True:  # as clients do: the refusal never reaches the caller
                response = await client.get("http://llm")
                assert counted.pending == 1
                if response.status_code == 200:
                    return completion(1, 2)

        await counted.meter.watch(create)()
    assert counted.outcomes() == {"rate_limited": 1, "ok": 1}
    assert (counted.pending, counted.tokens()) == (0, (1, 2))


async def test_transport_of_another_provider_counts_for_itself() -> None:
    counted = Counted()
    other = ProviderMeter("search", POD, registry=counted.registry)
    async with httpx.AsyncClient(transport=metered(other, answering(200))) as client:

        async def create() -> None:
            await client.get("http://search")

        await counted.meter.watch(create)()
    for provider in ("openai", "search"):
        labels = {"provider": provider, "outcome": "ok"}
        assert counted.metric("agent_llm_responses_total", **labels) == 1


async def test_event_hook_counts_responses() -> None:
    counted = Counted()
    hooks = {"response": [counted.meter.note_response]}
    async with httpx.AsyncClient(transport=answering(429), event_hooks=hooks) as client:
        await client.get("http://llm")
    assert counted.outcomes() == {"rate_limited": 1}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(otel, "get_meter", provider.get_meter)
    yield reader
    provider.shutdown()


async def test_calls_have_their_opentelemetry_names(told: InMemoryMetricReader) -> None:
    counted = Counted()

    async def create(*, model: str) -> SimpleNamespace:
        counted.clock.advance(2)
        return completion(10, 20)

    async def refuse(*, model: str) -> None:
        raise StatusError(429)

    await counted.meter.watch(create)(model="small")
    with pytest.raises(StatusError):
        await counted.meter.watch(refuse)(model="small")
    data = told.get_metrics_data()
    assert data is not None
    found = {
        metric.name: [
            (dict(point.attributes or {}), getattr(point, "sum", None))
            for point in metric.data.data_points
        ]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "small",
    }
    assert found["gen_ai.client.token.usage"] == [
        (common | {"gen_ai.token.type": "input"}, 10),
        (common | {"gen_ai.token.type": "output"}, 20),
    ]
    assert found["gen_ai.client.operation.duration"] == [
        (common, 2),
        (common | {"error.type": "rate_limited"}, 0),
    ]


async def test_calls_are_counted_without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "metrics", None)
    counted = Counted()
    counted.meter.note_usage(Usage(1, 2))
    assert counted.tokens() == (1, 2)
