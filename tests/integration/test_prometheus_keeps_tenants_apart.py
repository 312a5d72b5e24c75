"""On a real Prometheus with two tenants, nothing of the other one can be read."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, assume, given, settings

from agentscaler.clock import SystemClock
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.observe import confinement
from agentscaler.observe.observer import Observer
from agentscaler.observe.recorded import Recorder
from agentscaler.observe.sources import Settings, Sources
from agentscaler.observe.tenancy import CONFINED, Tenancy
from tests.fakes.lone_prometheus import MINUTE, NOON, Samples, running
from tests.unit.observe.queries import QUERIES
from tests.unit.observe.worlds import metric, policy

CLOCK = SystemClock()
SECRET, OURS = 7777.0, 5.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    samples = Samples()
    for namespace, value in (("agents", OURS), ("rivals", SECRET)):
        samples.steady("jobs", value, namespace=namespace, job=namespace)
        samples.growing("jobs_total", value, namespace=namespace, job=namespace)
        samples.steady("target_info", 1, namespace=namespace, job=namespace)
    samples.steady("nobodys", SECRET, job="global")
    with running(samples) as found:
        yield found


async def read(address: str, query: str, tenancy: Tenancy = CONFINED) -> Reading:
    rules = Settings(address, tenancy=tenancy)
    sources = Sources(rules, CLOCK)
    one = policy(metrics=[metric("m", query)])
    seen = await Observer(sources, rules, CLOCK).observe([one], now=NOON)
    sources.close()
    return seen.readings[one.key].metrics["m"]


@pytest.mark.parametrize(
    "query",
    [
        "sum(jobs)",
        'sum({__name__=~"job.*",__name__!="jobs_total"})',
        'sum({"jobs"})',
        "max(max_over_time(jobs[10m:1m]))",
        "sum(jobs offset 1m)",
        f"sum(jobs @ {NOON.timestamp():.0f})",
        "max(last_over_time(jobs[5m] @ end()))",
        'sum(jobs{namespace=~".*"})',
        "sum(jobs{job!=''})",
        "max(jobs or on() jobs)",
        'max(label_replace(jobs, "namespace", "rivals", "", ""))',
        "topk(1, jobs)",
        "scalar(max(jobs)) + 0",
        "sum(jobs * on (namespace) group_left() jobs) ^ 0.5",
        "sum(jobs) # }{ or nobodys\n",
        'sum(jobs) + 0 * count(jobs{job!="}"})',
    ],
)
async def test_only_the_own_series_are_read(address: str, query: str) -> None:
    assert await read(address, query) == pytest.approx(OURS)
    everything = await read(address, query, Tenancy(trusted=frozenset({"agents"})))
    assert everything != OURS, "the query reads the other tenant where nothing confines it"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ('sum(jobs{namespace="rivals"})', Why.REFUSED),
        ('sum(jobs{namespace="rivals" or namespace="agents"})', Why.REFUSED),
        ("sum(info(jobs))", Why.REFUSED),
        ("sum(jobs) # \r + sum(nobodys)", Why.REFUSED),
        ('sum(jobs{job="a}) or nobodys"})', Why.EMPTY),
        ("nobodys", Why.EMPTY),
        ('sum(jobs{namespace!="agents"})', Why.EMPTY),
    ],
)
async def test_what_is_not_the_tenants_own_is_no_reading(
    address: str, query: str, why: Why
) -> None:
    reading = await read(address, query)
    assert isinstance(reading, Missing)
    assert reading.why is why


async def test_shared_namespace_is_read_by_all(address: str) -> None:
    shared = Tenancy(shared=frozenset({"rivals"}))
    assert await read(address, "sum(jobs)", shared) == OURS + SECRET


@pytest.fixture
async def recorder(address: str) -> AsyncIterator[Recorder]:
    sources = Sources(Settings(address), CLOCK)
    yield Recorder(sources, CONFINED, CLOCK)
    sources.close()


async def test_the_past_is_confined_too(recorder: Recorder) -> None:
    signals = {name: {"query": "sum(jobs)"} for name in ("activeRequests", "queueDepth")}
    one = policy(signals=signals)
    found = await recorder.fetch_history([one], now=NOON, span=5 * MINUTE, step=MINUTE)
    assert set(found[one.key].loads) == {2 * OURS}


def selectors(node: Any) -> Iterator[dict[str, Any]]:
    """Find the selectors in a tree that Prometheus itself made of a query."""
    if isinstance(node, dict):
        if node.get("type") in {"vectorSelector", "matrixSelector"}:
            yield node
        for child in node.values():
            yield from selectors(child)
    elif isinstance(node, list):
        for child in node:
            yield from selectors(child)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
def test_prometheus_finds_the_matcher_in_every_selector(address: str, query: str) -> None:
    confined = confinement.confine(query, ["agents"])
    answer = requests.post(f"{address}/api/v1/parse_query", {"query": confined}, timeout=10)
    assume(answer.status_code == 200)  # the server refuses more than the parser here
    found = list(selectors(answer.json()["data"]))
    assert len(found) == query.count("metric")
    wanted = {"name": "namespace", "type": "=", "value": "agents"}
    assert all(wanted in selector["matchers"] for selector in found)
