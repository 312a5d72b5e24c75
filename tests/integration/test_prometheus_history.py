"""The load of the past, read back from a real Prometheus: whole, aligned, with its gaps."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import numpy as np
import pytest

from agentscaler.api.policy import Policy
from agentscaler.clock import SystemClock
from agentscaler.observe.recorded import Recorder, Series
from agentscaler.observe.sources import Settings, Sources
from agentscaler.observe.tenancy import TRUSTING
from tests.fakes.lone_prometheus import MINUTE, NOON, SECOND, Samples, running
from tests.unit.observe.worlds import policy

pytestmark = pytest.mark.e2e

CLOCK = SystemClock()
HOUR = timedelta(hours=1)
TEN_DAYS = timedelta(days=10)


def write(samples: Samples, metric: str, values: list[float], **labels: str) -> None:
    """Write four samples a minute, the last at noon."""
    samples.add(metric, {"namespace": "agents", **labels}, values)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    samples = Samples()
    hour = [float(minute) for minute in range(60) for _ in range(4)]
    for pod in ("1", "2"):
        write(samples, "agent_active_requests", hour, agent="steady", pod=pod)
        write(samples, "agent_queue_depth", [1.0] * 240, agent="steady", pod=pod)
    write(samples, "agent_queue_depth", [5.0] * 240, agent="asleep", pod="gateway")
    write(samples, "agent_active_requests", [5.0] * 240, agent="queueless", pod="1")
    for metric, value in (("agent_active_requests", 2.0), ("agent_queue_depth", 0.0)):
        labels = {"namespace": "agents", "agent": "paused", "pod": "1"}
        samples.add(metric, labels, [value] * 40, end=NOON - 40 * MINUTE)
        samples.add(metric, labels, [value] * 40, end=NOON)
        samples.add(metric, {**labels, "agent": "old"}, [value] * 14_400, every=MINUTE)
        odd = {**labels, "agent": 'o"d.d|\\agent'.replace("\\", "\\\\").replace('"', '\\"')}
        samples.add(metric, odd, [value] * 40)
    samples.steady("vllm:num_requests_running", 3, namespace="models", pod="llama-0")
    samples.steady("vllm:num_requests_waiting", 1, namespace="models", pod="llama-0")
    with running(samples) as found:
        yield found


@pytest.fixture
async def recorder(address: str) -> AsyncIterator[Recorder]:
    sources = Sources(Settings(address), CLOCK, workers=2)
    yield Recorder(sources, TRUSTING, CLOCK)
    sources.close()


async def history(
    recorder: Recorder, *policies: Policy, span: timedelta = HOUR, step: timedelta = MINUTE
) -> dict[str, Series]:
    return await recorder.fetch_history(policies, now=NOON + 7 * SECOND, span=span, step=step)


async def test_load_is_the_work_of_all_pods_in_aligned_steps(recorder: Recorder) -> None:
    found = (await history(recorder, policy("steady")))["agents/steady"]
    assert found.start == NOON - HOUR
    assert found.step == MINUTE
    assert found.times[0] == (NOON - HOUR).timestamp() + 30
    # The samples of a minute end with its border: the step before noon is all of minute 59.
    assert found.loads[1:].tolist() == [2 * minute + 2 for minute in range(1, 60)]


async def test_gap_stays_a_gap(recorder: Recorder) -> None:
    loads = (await history(recorder, policy("paused")))["agents/paused"].loads
    known = np.flatnonzero(~np.isnan(loads))
    assert known.tolist() == [*range(10, 20), *range(50, 60)]
    assert set(loads[known]) == {2.0}


async def test_waiting_requests_count_while_no_pod_serves(recorder: Recorder) -> None:
    assert set((await history(recorder, policy("asleep")))["agents/asleep"].loads) == {5.0}


async def test_unknown_queue_makes_the_load_unknown(recorder: Recorder) -> None:
    assert np.isnan((await history(recorder, policy("queueless")))["agents/queueless"].loads).all()


async def test_unknown_queue_is_none_when_the_policy_says_so(recorder: Recorder) -> None:
    one = policy("queueless", signals={"queueDepth": {"emptyResult": "Zero"}})
    assert set((await history(recorder, one))[one.key].loads) == {5.0}


async def test_span_longer_than_one_answer_may_be_is_read_whole(recorder: Recorder) -> None:
    found = (await history(recorder, policy("old"), span=TEN_DAYS))["agents/old"]
    assert len(found.loads) == 14_400
    assert not np.isnan(found.loads).any()


async def test_many_agents_are_read_in_few_pieces(recorder: Recorder) -> None:
    many = [policy("steady"), *(policy(f"agent-{number}") for number in range(99))]
    found = await history(recorder, *many)
    assert len(found) == 100
    assert sum(1 for each in found.values() if not np.isnan(each.loads).all()) == 1
    assert sum(server.asked for server in recorder._sources.opened()) == 6


async def test_name_with_signs_of_its_own_is_found(recorder: Recorder) -> None:
    one = policy("odd", signals={"agent": 'o"d.d|\\agent'})
    assert set((await history(recorder, one, span=10 * MINUTE))[one.key].loads) == {2.0}


async def test_engines_are_found_by_their_pods(recorder: Recorder) -> None:
    one = policy("llama", namespace="models", signals={"preset": "vllm"})
    assert (await history(recorder, one))[one.key].loads[-1] == 4


async def test_queries_of_a_policy_are_read_back_too(recorder: Recorder) -> None:
    query = 'sum(agent_queue_depth{agent="steady"}) * 10'
    one = policy("steady", signals={"queueDepth": {"query": query}})
    assert (await history(recorder, one))[one.key].loads[-1] == 2 * 59 + 20


async def test_query_of_several_series_tells_no_load(recorder: Recorder) -> None:
    one = policy("steady", signals={"queueDepth": {"query": "agent_queue_depth"}})
    assert np.isnan((await history(recorder, one))[one.key].loads).all()


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param({"queueDepth": {"query": "no_such_function(up)"}}, id="refused"),
        pytest.param({"queueDepth": {"query": "up[5m]"}}, id="no number"),
        pytest.param({"queueDepth": {"metric": "agent_requests_total"}}, id="a counter"),
    ],
)
async def test_policy_whose_past_cannot_be_read_is_left_out(
    recorder: Recorder, signals: dict[str, dict[str, str]]
) -> None:
    assert list(await history(recorder, policy("steady"), policy("own", signals=signals))) == [
        "agents/steady"
    ]


async def test_server_that_may_not_be_asked_leaves_its_policies_out(recorder: Recorder) -> None:
    foreign = policy("own", prometheus={"serverAddress": "http://elsewhere:9090"})
    assert await history(recorder, foreign) == {}
