"""Probes, metrics and the load report."""

import asyncio
import json
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from agentscaler import conventions
from agentscaler.runtime.asgi import Message, Receive, Scope, Send
from agentscaler.runtime.load_report import json_headers, text_headers
from agentscaler.runtime.metrics import label_values
from agentscaler.runtime.options import ServiceOptions
from agentscaler.runtime.service import AgentService
from tests.unit.runtime.worlds import Client, Gate, World, hello, settle


def pairs(report: str) -> dict[str, float]:
    """Read a TEXT report as its receivers do: no field but those that they know."""
    form, _, rest = report.partition(" ")
    assert form == "TEXT"
    read = dict(pair.split("=") for pair in rest.split(","))
    assert all(
        name == "application_utilization" or name.startswith("named_metrics.") for name in read
    )
    return {name: float(value) for name, value in read.items()}


async def test_probes_answer_while_every_slot_is_taken() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1, max_queued=0)
    world.client().start()
    await settle()
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await world.client(path).ask()).status == 200
    assert world.metric("agent_requests_received_total") == 1


async def test_ready_tells_the_figures_of_the_instance() -> None:
    told = json.loads((await World().client("/readyz").ask()).body)
    assert told == {
        "instance_id": "one",
        "host": "10.0.0.7",
        "port": 8000,
        "capacity": 2,
        "load": 0,
        "load_factor": 0.0,
        "available": 2,
        "started_at": "2026-03-02T12:00:00+00:00",
        "draining": False,
    }


async def test_metrics_have_the_operators_names_and_labels() -> None:
    world = World()
    await world.client().ask()
    page = (await world.client("/metrics").ask()).body.decode()
    samples = [each for family in text_string_to_metric_families(page) for each in family.samples]
    exported = {each.name for each in samples}
    assert exported >= {
        conventions.QUEUE_DEPTH,
        conventions.ACTIVE_REQUESTS,
        conventions.CAPACITY,
        conventions.REQUESTS_RECEIVED,
        conventions.REQUESTS_ENDED,
        f"{conventions.REQUEST_DURATION}_bucket",
        f"{conventions.REQUEST_WAIT}_bucket",
    }
    for sample in samples:
        assert {"namespace", "agent", "pod"} <= sample.labels.keys()


async def test_metrics_speak_open_metrics_when_asked() -> None:
    accept = [(b"accept", b"application/openmetrics-text; version=1.0.0")]
    page = await World().client("/metrics", headers=accept).ask()
    assert page.headers["content-type"].startswith("application/openmetrics-text")
    assert page.body.endswith(b"# EOF\n")


async def test_services_of_one_process_share_a_registry() -> None:
    first = World()
    second = AgentService(hello, options=first.service.options, registry=first.registry)
    await Client(second).ask()
    assert first.metric("agent_requests_received_total") == 1  # the newest of one identity


def test_service_uses_the_default_registry_more_than_once() -> None:
    for capacity in (3, 4):
        service = AgentService(hello, capacity)
    names = ("namespace", "agent", "pod")
    labels = dict(zip(names, label_values(service.identity), strict=True))
    assert REGISTRY.get_sample_value("agent_capacity", labels) == 4


async def test_load_report_rides_on_the_answer() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    asking = world.client()
    first, second = asking.start(), world.client().start()
    await settle()
    gate.let_go()
    await first
    report = pairs(asking.headers["endpoint-load-metrics"])
    assert report == {
        "application_utilization": 2.0,
        "named_metrics.agent_active_requests": 1,
        "named_metrics.agent_queue_depth": 1,
        "named_metrics.agent_capacity": 1,
    }
    gate.let_go()
    await second


async def test_load_report_keeps_the_applications_own_headers_and_message() -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)

    world = World(app)
    for _ in range(2):
        client = await world.client().ask()
        assert client.headers["x-own"] == "1"
    assert start["headers"] == [(b"x-own", b"1")]


async def test_load_report_can_be_json() -> None:
    client = await World(load_report="JSON").client().ask()
    form, _, rest = client.headers["endpoint-load-metrics"].partition(" ")
    assert form == "JSON"
    assert json.loads(rest) == {
        "application_utilization": 0.5,
        "named_metrics": {
            "agent_active_requests": 1,
            "agent_queue_depth": 0,
            "agent_capacity": 2,
        },
    }


async def test_load_report_is_left_out_within_ten_milliseconds_of_the_last() -> None:
    world = World()

    async def is_told() -> bool:
        return "endpoint-load-metrics" in (await world.client().ask()).headers

    assert await is_told()
    assert not await is_told()
    world.clock.advance(0.0099)
    assert not await is_told()
    world.clock.advance(0.0001)
    assert await is_told()


async def test_load_report_of_a_leaving_instance_is_never_left_out() -> None:
    world = World()
    leaving = asyncio.create_task(world.client("/drain").ask())
    await settle()
    for _ in range(2):
        late = await world.client().ask()
        assert pairs(late.headers["endpoint-load-metrics"])["named_metrics.agent_capacity"] == 0
    leaving.cancel()


@pytest.mark.parametrize("root", ["", "/api"])
async def test_probes_are_found_under_the_path_where_the_application_is_mounted(root: str) -> None:
    world = World()
    probe = world.client(f"{root}/healthz")
    probe.scope["root_path"] = root
    assert (await probe.ask()).body == b"ok\n"
    assert world.metric("agent_requests_received_total") == 0


async def test_load_report_can_be_left_out() -> None:
    client = await World(load_report=None).client().ask()
    assert "endpoint-load-metrics" not in client.headers


def test_load_report_is_full_at_no_capacity() -> None:
    ((_, text),) = text_headers(0, 0, 0)
    assert pairs(text.decode())["application_utilization"] == 1.0
    ((_, written),) = json_headers(0, 0, 0)
    assert b'"application_utilization":1' in written


async def test_paths_of_the_probes_can_be_moved() -> None:
    world = World(health_path="/-/live")
    assert (await world.client("/-/live").ask()).body == b"ok\n"
    assert (await world.client("/healthz").ask()).body == b"hello"


@pytest.mark.parametrize("kind", ["websocket", "something new"])
async def test_other_scopes_reach_the_application(kind: str) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await asyncio.wait_for(World(app).client("/healthz", kind=kind).start(), 1)
    assert seen == [kind]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"overload_status": 500}, "overload_status must be 429 or 503"),
        ({"drain_limit_seconds": -1}, "drain_delay_seconds and drain_limit_seconds must not be "),
        ({"max_wait_seconds": -1}, "max_wait_seconds must not be negative; None waits for ever"),
        ({"ready_path": "readyz"}, "ready_path must begin with a slash"),
        ({"load_report": "XML"}, "load_report must be TEXT, JSON or None"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        ServiceOptions(**options)
