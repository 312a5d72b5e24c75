"""What policies see through a real Prometheus: every query that is asked is really understood."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta

import pytest

from agentscaler.api.policy import Policy
from agentscaler.api.signals import SignalName
from agentscaler.clock import SystemClock
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.observe.observer import Observation, Observer
from agentscaler.observe.pods import PodReading
from agentscaler.observe.readings import Readings
from agentscaler.observe.sources import Settings, Sources
from agentscaler.observe.tenancy import TRUSTING
from tests.fakes.lone_prometheus import NOON, SECOND, Samples, running
from tests.unit.observe.worlds import metric, policy

pytestmark = pytest.mark.e2e

CLOCK = SystemClock()


def busy(samples: Samples) -> None:
    """Two pods at work; every tenth request fails, nobody waits longer than a second."""
    for pod in ("research-1", "research-2"):
        labels = {"namespace": "agents", "agent": "research", "pod": pod}
        samples.steady("agent_queue_depth", 3, **labels)
        samples.steady("agent_active_requests", 4, **labels)
        samples.steady("agent_capacity", 8, **labels)
        samples.growing("agent_requests_received_total", 2, **labels)
        samples.growing("agent_requests_total", 0.9, **labels, outcome="ok")
        samples.growing("agent_requests_total", 0.1, **labels, outcome="error")
        samples.histogram("agent_request_duration_seconds", {"1": 0, "3": 1, "+Inf": 1}, **labels)
        samples.histogram("agent_request_wait_seconds", {"1": 1, "+Inf": 1}, **labels)


def idle(samples: Samples) -> None:
    """A pod at which no request ends."""
    labels = {"namespace": "agents", "agent": "idle", "pod": "idle-1"}
    for gauge in ("agent_queue_depth", "agent_active_requests", "agent_capacity"):
        samples.steady(gauge, 0, **labels)
    samples.growing("agent_requests_total", 0, **labels, outcome="ok")
    samples.histogram("agent_request_duration_seconds", {"1": 0, "+Inf": 0}, **labels)


def outdated(samples: Samples) -> None:
    """One agent whose samples ended long ago, one that lost a pod, one whose value is nonsense."""
    long_ago = timedelta(minutes=3, seconds=20)
    samples.steady("agent_queue_depth", 5, long_ago, namespace="agents", agent="gone", pod="1")
    samples.steady("agent_queue_depth", 5, long_ago, namespace="agents", agent="half", pod="1")
    samples.steady("agent_queue_depth", 6, namespace="agents", agent="half", pod="2")
    samples.steady("agent_queue_depth", float("nan"), namespace="agents", agent="odd", pod="1")


def engines(samples: Samples) -> None:
    """Engines that know no agent: their pods' names tell."""
    deployed = {"namespace": "models", "pod": "llama-7c9d5b6f8-x2vlq"}
    samples.steady("vllm:num_requests_waiting", 2, **deployed)
    samples.steady("vllm:num_requests_waiting", 2, namespace="models", pod="llama-0")
    samples.steady("vllm:num_requests_waiting", 40, namespace="models", pod="llama-big-0")
    labelled = {"namespace": "models", "pod": "worker-0-1", "agent": "labelled"}
    samples.steady("vllm:num_requests_waiting", 9, **labelled)
    samples.growing("vllm:request_success_total", 3, **deployed, finished_reason="stop")
    samples.growing("vllm:request_success_total", 1, **deployed, finished_reason="error")
    samples.histogram("vllm:e2e_request_latency_seconds", {"8": 1, "+Inf": 1}, **deployed)
    samples.steady("tgi_queue_size", 1, namespace="models", pod="gpt-0")
    samples.growing("tgi_request_count", 4, namespace="models", pod="gpt-0")
    samples.growing("tgi_request_failure", 1, namespace="models", pod="gpt-0", err="overloaded")
    samples.steady("sglang:num_queue_reqs", 7, namespace="models", pod="qwen-0")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    samples = Samples()
    for write in (busy, idle, outdated, engines):
        write(samples)
    for team in ("a", "b", "c"):
        samples.steady("tickets_open", 5, team=team)
    samples.steady("temperature", -4)
    with running(samples) as found:
        yield found


@pytest.fixture
async def observer(address: str) -> AsyncIterator[Observer]:
    settings = Settings(address, tenancy=TRUSTING)
    sources = Sources(settings, CLOCK)
    yield Observer(sources, settings, CLOCK)
    sources.close()


async def see(observer: Observer, one: Policy) -> Readings:
    return (await observer.observe([one], now=NOON)).readings[one.key]


async def test_busy_agent_is_seen_whole(observer: Observer) -> None:
    found = await see(observer, policy("research", signals={"errorRatio": {}}))
    assert dict(found.signals) == {
        SignalName.QUEUE_DEPTH: 6,
        SignalName.ACTIVE_REQUESTS: 8,
        SignalName.CAPACITY: 16,
        SignalName.ARRIVAL_RATE: pytest.approx(4),
        SignalName.COMPLETION_RATE: pytest.approx(2),
        SignalName.ERROR_RATIO: pytest.approx(0.1),
        SignalName.LATENCY: pytest.approx(2.9),
        SignalName.WAIT: pytest.approx(0.95),
    }
    assert found.partial == ""


async def test_latency_is_read_at_the_quantile_of_the_policy(observer: Observer) -> None:
    median = await see(observer, policy("research", signals={"latency": {"quantile": "50%"}}))
    assert median.signals[SignalName.LATENCY] == pytest.approx(2)


async def test_agent_at_which_nothing_ends_has_no_latency_and_no_failures(
    observer: Observer,
) -> None:
    found = await see(observer, policy("idle", threshold={}))
    assert found.signals[SignalName.ERROR_RATIO] == 0
    assert found.signals[SignalName.LATENCY] == Missing(Why.EMPTY, "no request ended within 1m")


async def test_unknown_agent_is_missing_everywhere(observer: Observer) -> None:
    found = await see(observer, policy("nobody", threshold={}))
    whys = {reading.why for reading in found.signals.values() if isinstance(reading, Missing)}
    assert whys == {Why.EMPTY}
    assert len(found.signals) == 5


async def test_empty_result_is_zero_when_the_policy_says_so(observer: Observer) -> None:
    signals = {"queueDepth": {"emptyResult": "Zero"}}
    found = await see(observer, policy("nobody", signals=signals))
    assert found.signals[SignalName.QUEUE_DEPTH] == 0


async def queue_of(observer: Observer, one: Policy) -> Reading:
    return (await see(observer, one)).signals[SignalName.QUEUE_DEPTH]


async def test_old_sample_is_stale(observer: Observer) -> None:
    reading = await queue_of(observer, policy("gone"))
    assert reading == Missing(Why.STALE, "the newest sample is 3m20s old")


async def test_old_sample_is_fresh_enough_for_a_slow_poll(observer: Observer) -> None:
    assert await queue_of(observer, policy("gone", pollingInterval="1m")) == 5


async def test_newest_pod_tells_the_age(observer: Observer) -> None:
    assert await queue_of(observer, policy("half")) == 11


async def test_nan_of_one_pod_is_no_number(observer: Observer) -> None:
    reading = await queue_of(observer, policy("odd"))
    assert reading == Missing(Why.NOT_A_NUMBER, "the value is nan")


@pytest.mark.parametrize(
    ("name", "preset", "waiting"),
    [
        ("llama", "vllm", 4),
        ("llama-big", "vllm", 40),
        ("labelled", "vllm", 9),
        ("gpt", "tgi", 1),
        ("qwen", "sglang", 7),
    ],
)
async def test_engine_is_known_by_the_name_of_its_pods(
    observer: Observer, name: str, preset: str, waiting: float
) -> None:
    one = policy(name, namespace="models", signals={"preset": preset})
    assert await queue_of(observer, one) == waiting


@pytest.mark.parametrize(("name", "preset"), [("llama", "vllm"), ("gpt", "tgi")])
async def test_engine_tells_its_share_of_failures(
    observer: Observer, name: str, preset: str
) -> None:
    one = policy(name, namespace="models", threshold={}, signals={"preset": preset})
    found = await see(observer, one)
    assert found.signals[SignalName.ERROR_RATIO] == pytest.approx(0.25)
    assert found.partial == "", "a remark on the name of a counter is no partial answer"


async def test_engine_that_exports_no_capacity_says_what_to_set(observer: Observer) -> None:
    one = policy("llama", namespace="models", signals={"preset": "vllm"})
    reading = (await see(observer, one)).signals[SignalName.CAPACITY]
    assert isinstance(reading, Missing)
    assert "spec.signals.capacity.perReplica" in reading.detail


async def test_thousand_policies_take_as_many_queries_as_one(observer: Observer) -> None:
    names = ["research", "idle", *(f"agent-{number}" for number in range(998))]
    one = await observer.observe([policy("research")], now=NOON)
    many = await observer.observe([policy(name) for name in names], now=NOON)
    assert one.queries == many.queries == 7
    assert len(many.readings) == 1000
    assert many.readings["agents/research"] == one.readings["agents/research"]


QUERIES: dict[str, tuple[str, Reading]] = {
    "vector": ('sum(tickets_open{team="a"})', 5),
    "scalar": ("scalar(sum(tickets_open))", 15),
    "number": ("42", 42),
    "arithmetic": ("2 * 3 + time() * 0", 6),
    "made-vector": ("vector(0)", 0),
    "with-or": ('sum(nothing) or vector(3) or tickets_open{team="z"}', 3),
    "with-comment": ('sum(tickets_open) # all teams ("or" not)', 15),
    "over-lines": ("sum(\n  tickets_open\n)", 15),
    "with-names": ('{__name__=~"tickets_open|nothing",team="b"}', 5),
    "with-quotes": ("sum(tickets_open{team=~'a|\"b'})", 5),
    "subquery": ("max_over_time(sum(tickets_open)[5m:])", 15),
    "unary": ("-(-sum(tickets_open))", 15),
    "comparison": ("sum(tickets_open) > bool 3", 1),
    "own-label": ('label_replace(vector(8), "asp_ask", "0", "", "")', 8),
    "empty": ("sum(nothing)", Missing(Why.EMPTY, "the query finds no series")),
    "several": (
        "tickets_open",
        Missing(Why.AMBIGUOUS, "the query gives 3 series: aggregate with sum() or max()"),
    ),
    "nan": ("sum(nothing) or vector(0) / 0", Missing(Why.NOT_A_NUMBER, "the value is NaN")),
    "infinite": ("vector(1) / 0", Missing(Why.NOT_A_NUMBER, "the value is +Inf")),
    "negative": ("temperature", Missing(Why.NOT_A_NUMBER, "the value is -4, below zero")),
    "range": (
        "tickets_open[5m]",
        Missing(
            Why.REFUSED,
            "the query gives a range of samples, not one number: use a function such as rate()",
        ),
    ),
    "text": ('"five"', Missing(Why.REFUSED, "the query gives a text, not a number")),
}


def own(queries: Mapping[str, str]) -> list[Policy]:
    """Give policies that want these queries, ten each."""
    written = [metric(name, query) for name, query in queries.items()]
    starts = range(0, len(written), 10)
    return [policy(f"own-{start}", metrics=written[start : start + 10]) for start in starts]


def metrics_in(seen: Observation) -> dict[str, Reading]:
    return {
        name: reading for each in seen.readings.values() for name, reading in each.metrics.items()
    }


async def test_every_kind_of_query_shares_a_union(observer: Observer) -> None:
    policies = own({name: query for name, (query, _) in QUERIES.items()})
    seen = await observer.observe(policies, now=NOON)
    assert metrics_in(seen) == {name: expected for name, (_, expected) in QUERIES.items()}
    assert seen.queries == 1


async def test_refused_query_spoils_no_other(observer: Observer) -> None:
    good = {f"good-{number}": f"vector({number})" for number in range(19)}
    policies = own({"bad": "tickets_open * on(nothing) tickets_open", **good})
    first = await observer.observe(policies, now=NOON)
    found = metrics_in(first)
    reading = found.pop("bad")
    assert isinstance(reading, Missing)
    assert reading.why is Why.REFUSED
    assert "found duplicate series for the match group" in reading.detail
    assert found == {f"good-{number}": number for number in range(19)}
    second = await observer.observe(policies, now=NOON)
    assert second.readings == first.readings
    assert second.queries == 2, "the culprit is asked apart from now on"


async def test_query_beyond_our_grammar_is_left_to_the_server(observer: Observer) -> None:
    one = policy(
        "own", metrics=[metric("odd", "no_such_function(up)"), metric("good", "vector(1)")]
    )
    found = (await see(observer, one)).metrics
    assert found["good"] == 1
    assert isinstance(found["odd"], Missing)
    assert found["odd"].why is Why.REFUSED
    assert "unknown function" in found["odd"].detail


async def test_same_query_of_many_policies_is_asked_once(observer: Observer) -> None:
    many = [policy(f"own-{number}", metrics=[metric("m", "vector(4)")]) for number in range(100)]
    seen = await observer.observe(many, now=NOON)
    assert seen.queries == 1
    assert all(each.metrics == {"m": 4} for each in seen.readings.values())


async def test_metric_of_a_policy_is_grouped_as_well(observer: Observer) -> None:
    signals = {
        "queueDepth": {"metric": "agent_active_requests"},
        "arrivalRate": {"metric": "agent_requests_total"},
        "capacity": {"perReplica": 4},
        "errorRatio": {"metric": "agent_requests_total"},
    }
    names = ("research", "idle")
    seen = await observer.observe([policy(name, signals=signals) for name in names], now=NOON)
    found = seen.readings["agents/research"].signals
    assert found[SignalName.QUEUE_DEPTH] == 8
    assert found[SignalName.ARRIVAL_RATE] == pytest.approx(2)
    assert found[SignalName.ERROR_RATIO] == pytest.approx(0.1)
    assert SignalName.CAPACITY not in found
    assert seen.queries == 5, "queue and active are one query, so are arrivals and completions"


async def test_gate_is_read(observer: Observer) -> None:
    gate = {"name": "database", "query": "vector(0.5)", "above": "90%"}
    assert (await see(observer, policy(gates=[gate]))).gates == {"database": 0.5}


async def test_dead_server_makes_only_its_own_policies_blind(
    address: str, unused_tcp_port: int
) -> None:
    dead = f"http://127.0.0.1:{unused_tcp_port}"
    settings = Settings(address, allowed=frozenset({dead}), deadline=5 * SECOND)
    sources = Sources(settings, CLOCK)
    blind = policy("blind", prometheus={"serverAddress": f"{dead}/"}, metrics=[metric("m", "1")])
    seen = await Observer(sources, settings, CLOCK).observe([blind, policy()], now=NOON)
    sources.close()
    whys = {
        reading.why
        for part in (seen.readings[blind.key].signals, seen.readings[blind.key].metrics)
        for reading in part.values()
        if isinstance(reading, Missing)
    }
    assert whys == {Why.UNAVAILABLE}
    assert seen.readings["agents/research"].signals[SignalName.QUEUE_DEPTH] == 6


async def test_pods_are_told_apart_with_the_times_of_their_samples(observer: Observer) -> None:
    policies = [policy(name, drain={}) for name in ("research", "idle", "nobody")]
    seen = await observer.observe_pods(policies, now=NOON)
    research, idle, nobody = (seen[one.key] for one in policies)
    told = PodReading(4.0, NOON - 3 * SECOND)
    assert research == {"research-1": told, "research-2": told}
    assert idle == {"idle-1": PodReading(0.0, NOON - 3 * SECOND)}
    assert nobody == {}


async def test_pods_of_an_engine_are_known_by_their_names(observer: Observer) -> None:
    waiting = {"activeRequestsPerPod": {"metric": "vllm:num_requests_waiting"}}
    one = policy("llama", namespace="models", signals={"preset": "vllm"}, drain=waiting)
    seen = (await observer.observe_pods([one], now=NOON))[one.key]
    assert not isinstance(seen, Missing)
    assert sorted(seen) == ["llama-0", "llama-7c9d5b6f8-x2vlq"]


async def test_pods_of_a_dead_server_are_unknown(unused_tcp_port: int) -> None:
    settings = Settings(f"http://127.0.0.1:{unused_tcp_port}", tenancy=TRUSTING)
    sources = Sources(settings, CLOCK)
    one = policy("research", drain={})
    seen = (await Observer(sources, settings, CLOCK).observe_pods([one], now=NOON))[one.key]
    sources.close()
    assert isinstance(seen, Missing)
    assert seen.why is Why.UNAVAILABLE
