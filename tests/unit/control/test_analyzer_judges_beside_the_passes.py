"""Bottlenecks are judged once a minute, beside the passes, and disturb nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from agentscaler.api.policy import Policy
from agentscaler.api.signals import SignalName
from agentscaler.api.status import BottleneckStatus, PolicyStatus
from agentscaler.control.analyzer import Analyzer
from agentscaler.control.registry import Entry, Registry
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.errors import SourceUnavailableError
from agentscaler.observe.expressions import Agent
from agentscaler.observe.profiles import Profile
from agentscaler.observe.readings import Readings
from agentscaler.report import status
from tests.unit.control.bodies import NOON, body

FULL = Readings(
    {
        SignalName.QUEUE_DEPTH: 3.0,
        SignalName.ACTIVE_REQUESTS: 8.0,
        SignalName.CAPACITY: 8.0,
    }
)
REFUSING = Profile(refused={"openai": 0.5})
RECORDED = BottleneckStatus(verdict="Replicas", replicas_help="Yes", message="busy")
ELSEWHERE = {"serverAddress": "http://other:9090"}


async def nobody(policy: Policy) -> Reading:
    """Look at pods where none is stuck."""
    raise AssertionError(policy.name)


class Minutes:
    """A clock that stands at noon and lets so many pauses pass, then no more."""

    def __init__(self, pauses: int) -> None:
        self.left = pauses
        self.begun: list[float] = []
        self.spent = asyncio.Event()

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.begun.append(seconds)
        self.left -= 1
        if self.left < 0:
            self.spent.set()
            await asyncio.Event().wait()


class Server:
    """Gives profiles, or raises what it is told to, the next one first; counts the asking."""

    def __init__(self, *answers: Mapping[Agent, Profile] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> Mapping[Agent, Profile]:
        answer = self.answers[self.asked]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def one_entry(
    *, prometheus: Mapping[str, str] | None = None, recorded: PolicyStatus | None = None
) -> tuple[Registry, Entry]:
    registry = Registry()
    written = status.dump(recorded) if recorded else None
    registry.note(None, body(status=written, prometheus=dict(prometheus or {})))
    (entry,) = registry
    entry.readings = FULL
    return registry, entry


async def run(registry: Registry, server: Server, pauses: int) -> Minutes:
    clock = Minutes(pauses)
    running = asyncio.create_task(Analyzer(registry, server, nobody, clock).run())
    await asyncio.wait(
        {running, spent := asyncio.create_task(clock.spent.wait())},
        timeout=5,
        return_when=asyncio.FIRST_COMPLETED,
    )
    assert spent.done()
    running.cancel()
    await asyncio.wait({running})
    return clock


async def test_verdict_is_made_of_the_newest_readings_and_the_profile() -> None:
    registry, entry = one_entry()
    await run(registry, Server({}), 1)
    entry.readings = replace(FULL)
    await run(registry, Server({}), 1)
    assert entry.bottleneck is not None
    assert (entry.bottleneck.verdict, entry.bottleneck.replicas_help) == ("Replicas", "Yes")
    await run(registry, Server({("agents", "agent"): REFUSING}), 1)
    assert entry.bottleneck.verdict == "ProviderLimit"
    assert entry.bottleneck.recommendations[0].startswith("ask openai for a higher limit")


async def test_lack_of_replicas_is_not_told_of_one_reading_however_often_it_is_judged() -> None:
    registry, entry = one_entry()
    await run(registry, Server({}, {}), 2)
    assert entry.bottleneck is None


async def test_verdict_before_stays_until_a_second_look_finds_the_lack() -> None:
    registry, entry = one_entry()
    await run(registry, Server({("agents", "agent"): REFUSING}), 1)
    entry.readings = replace(FULL)
    await run(registry, Server({}), 1)
    assert entry.bottleneck is not None
    assert entry.bottleneck.verdict == "ProviderLimit"
    entry.readings = replace(FULL)
    await run(registry, Server({}), 1)
    assert entry.bottleneck.verdict == "Replicas"


async def test_profiles_are_asked_once_a_minute_for_all_policies() -> None:
    registry, _ = one_entry()
    registry.note(None, body("other", scaleTargetRef={"name": "other"}))
    server = Server({}, {})
    clock = await run(registry, server, 2)
    assert (server.asked, clock.begun) == (2, [60.0, 60.0, 60.0])


@pytest.mark.parametrize("failure", [SourceUnavailableError("refused"), KeyError("metric")])
async def test_failure_keeps_the_verdict_and_the_next_minute_judges_again(
    failure: Exception,
) -> None:
    registry, entry = one_entry()
    entry.bottleneck = RECORDED
    await run(registry, Server(failure), 1)
    assert entry.bottleneck == RECORDED
    await run(registry, Server(failure, {("agents", "agent"): REFUSING}), 2)
    assert entry.bottleneck.verdict == "ProviderLimit"


async def test_nobody_is_asked_while_no_policy_is_looked_at() -> None:
    registry, entry = one_entry()
    entry.unsee()
    server = Server()
    await run(registry, server, 1)
    assert (server.asked, entry.bottleneck) == (0, None)


async def test_policy_with_a_server_of_its_own_has_no_verdict() -> None:
    registry, entry = one_entry(prometheus=ELSEWHERE)
    entry.bottleneck = RECORDED
    await run(registry, Server({}), 1)
    assert entry.bottleneck is None


async def test_recorded_verdict_outlives_a_restart_until_the_first_look() -> None:
    registry, entry = one_entry(recorded=PolicyStatus(bottleneck=RECORDED))
    assert entry.bottleneck == RECORDED
    await run(registry, Server({("agents", "agent"): REFUSING}), 1)
    assert entry.bottleneck.verdict == "ProviderLimit"


def test_another_target_begins_without_a_verdict() -> None:
    registry, entry = one_entry(recorded=PolicyStatus(bottleneck=RECORDED))
    registry.note("MODIFIED", body(generation=2, scaleTargetRef={"name": "other"}))
    assert (entry.readings, entry.bottleneck) == (None, None)


STUCK = PolicyStatus(
    current_replicas=3, ready_replicas=1, last_scale_up_time=NOON - timedelta(hours=1)
)


@pytest.mark.parametrize(
    ("unscheduled", "verdict"),
    [(2.0, "ClusterFull"), (0.0, "ReplicasUnready"), (Missing(Why.EMPTY), "ReplicasUnready")],
    ids=["no node", "placed", "unread"],
)
async def test_pods_of_stuck_replicas_decide_what_is_said(
    unscheduled: Reading, verdict: str
) -> None:
    registry, entry = one_entry(recorded=STUCK)
    looked: list[str] = []

    async def look(policy: Policy) -> Reading:
        looked.append(policy.name)
        return unscheduled

    await Analyzer(registry, Server({}), look, Minutes(0)).judge()
    assert entry.bottleneck is not None
    assert (entry.bottleneck.verdict, looked) == (verdict, ["agent"])


async def test_stuck_agents_of_a_whole_cluster_do_not_use_up_the_requests() -> None:
    registry = Registry()
    for number in range(60):
        name = f"agent-{number}"
        registry.note(None, body(name, status=status.dump(STUCK), scaleTargetRef={"name": name}))
    for entry in registry:
        entry.readings = FULL
    looked: list[str] = []

    async def look(policy: Policy) -> Reading:
        looked.append(policy.name)
        return 1.0

    analyzer = Analyzer(registry, Server({}, {}), look, Minutes(0))
    await analyzer.judge()
    assert len(looked) == 50
    await analyzer.judge()
    assert len(looked) == 100


async def test_no_policy_is_judged_while_a_pass_goes_on() -> None:
    registry, entry = one_entry()
    server, over = Server({("agents", "agent"): REFUSING}), asyncio.Event()

    async def pause() -> None:
        await over.wait()

    judging = asyncio.create_task(Analyzer(registry, server, nobody, Minutes(0), pause).judge())
    await asyncio.sleep(0.01)
    assert (server.asked, entry.bottleneck) == (0, None)
    over.set()
    await judging
    assert entry.bottleneck is not None
