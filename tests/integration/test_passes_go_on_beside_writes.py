"""A pass waits for no write: who is being served is left out, all others are decided on in time."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agentscaler.control import loop
from agentscaler.control.proceeding import Line
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS, SCALE
from tests.fakes.connected import QUICK, until
from tests.fakes.faulty_prometheus import Request
from tests.fakes.leadership import leading
from tests.fakes.operated import Running, Scene, staged

ACT = ("patch", SCALE)
RECORD = ("patch", POLICY_STATUS)
LATE = 5.0  # seconds; the policies poll each second, a write is given up after seven


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(tmp_path) as made:
        yield made


async def hold_up(scene: Scene, fault: Fault) -> None:
    """Have the policy "slow" grow, while the API server answers one of its requests late."""
    scene.agent("slow")
    scene.policy("slow")
    await scene.lead()
    await until(lambda: scene.status("slow"))
    before = scene.server.count(fault.verb, fault.what)
    scene.server.faults.append(fault)
    scene.load("slow", queue=20)
    await until(lambda: scene.server.count(fault.verb, fault.what) > before)


@pytest.mark.parametrize(("verb", "what"), [ACT, RECORD], ids=["act", "record"])
async def test_late_answer_for_one_policy_holds_up_no_other(
    scene: Scene, verb: str, what: str
) -> None:
    await hold_up(scene, Fault(verb, what, delay_seconds=LATE))
    # Only now: a status of its own could have met the late answer.
    scene.agent("quick", queue=20)
    scene.policy("quick")
    await until(lambda: scene.replicas("quick") > 5, LATE - 0.5)
    assert scene.replicas("slow") == 1
    await until(lambda: scene.replicas("slow") > 5)


async def test_policy_is_left_out_while_its_scaling_is_under_way(scene: Scene) -> None:
    await hold_up(scene, Fault(*ACT, delay_seconds=LATE))
    scene.load("slow", queue=60)
    scene.policy("slow", maxReplicas=40)  # it is to be looked at again at once
    await asyncio.sleep(LATE / 2)
    assert [each["outcome"] for each in scene.history("slow")] == ["Pending"]
    assert scene.server.count(*ACT) == 1
    await until(lambda: len(scene.history("slow")) == 2)
    assert scene.history("slow")[1]["outcome"] == "Applied"
    assert scene.history("slow")[0]["from"] == scene.history("slow")[1]["to"]


async def test_policy_that_is_always_told_late_has_no_passes_of_its_own(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would ask Prometheus as much as the pass of all that are due together."""
    monkeypatch.setattr(loop, "_LONGEST_SECONDS", 0.05)  # it turns, and has nothing to do
    for name in ("slow", "quick"):
        scene.agent(name, replicas=2)
        scene.policy(name, minReplicas=2)
    running = await scene.lead()
    await until(
        lambda: {scene.status(name).get("reason") for name in ("slow", "quick")} == {"AtMinimum"}
    )

    def tell_news(verb: str, what: str) -> None:
        if (verb, what) == RECORD:
            ready = 1 + scene.server.count(*RECORD) % 2
            news = {"status": {"readyReplicas": ready}}
            scene.server.objects.merge("deployments", ("agents", "slow"), news)

    scene.server.faults.append(Fault(*RECORD, times=-1, delay_seconds=1.2))
    scene.server.on_request = tell_news
    tell_news(*RECORD)
    told, passes, began = scene.server.count(*RECORD), passes_of(running), time.monotonic()
    await asyncio.sleep(6)
    rounds = time.monotonic() - began + 1
    assert scene.server.count(*RECORD) - told > 1
    assert passes_of(running) - passes <= rounds


async def test_policy_that_is_busy_takes_part_once_the_metrics_are_there(tmp_path: Path) -> None:
    async with leading(tmp_path) as leader:
        for name in ("busy", "idle"):
            leader.agent(name)
            leader.policy(name)
        await leader.run_pass()
        leader.load("busy", queue=20)
        ended, decided = asyncio.Event(), leader.telemetry.decisions._value
        end = partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)
        leader.works.begin(Line.STATUS, leader.entry("busy"), lambda: nothing_until(ended))
        answer = leader.gauges.__call__

        def answer_after_the_end(request: Request) -> None:
            end()
            time.sleep(0.1)
            answer(request)

        before = decided.get()
        await leader.cycle.run([leader.entry("idle")], [leader.entry("busy")])
        assert decided.get() - before == 1  # the other is still busy
        assert leader.replicas("busy") == 1
        leader.metrics.respond = answer_after_the_end
        await leader.cycle.run([leader.entry("idle")], [leader.entry("busy")])
        await leader.works.ended()
        assert decided.get() - before == 3
        assert leader.replicas("busy") > 5


async def test_policy_that_is_paused_and_busy_is_not_asked_for(tmp_path: Path) -> None:
    async with leading(tmp_path) as leader:
        leader.agent()
        leader.policy(mode="Paused")
        await leader.run_pass()
        await leader.cycle.run([], [leader.entry()])
        assert leader.metrics.requests == []
        leader.policy(mode="Auto")
        leader.learn()
        await leader.cycle.run([], [leader.entry()])
        await leader.works.ended()
        assert leader.metrics.requests


async def test_policy_that_is_deleted_while_it_grows_leaves_nothing_behind(scene: Scene) -> None:
    scene.agent("quick")
    scene.policy("quick")
    await hold_up(scene, Fault(*ACT, delay_seconds=LATE))
    (running,) = scene.running
    assert names_on_page(running) == {"slow", "quick"}
    scene.delete_policy("slow")
    told = scene.server.count(*RECORD)
    await until(lambda: scene.replicas("slow") > 1)
    await until(lambda: scene.server.count(*RECORD) > told)
    await until(lambda: names_on_page(running) == {"quick"})


def names_on_page(running: Running) -> set[str]:
    page = b"".join(running.operator._telemetry.page()).decode()
    return set(re.findall(r'agentscaler_policy_replicas\{[^}]*"(slow|quick)"', page))


def passes_of(running: Running) -> float:
    passes = running.operator._telemetry.pass_duration
    return next(each.value for each in passes._child_samples() if each.name == "_count")


async def nothing_until(event: asyncio.Event) -> None:
    await event.wait()


async def test_policy_whose_status_waits_grows_all_the_same(scene: Scene) -> None:
    names = [f"agent{number:02}" for number in range(20)]
    for name in names:
        scene.agent(name)
        scene.policy(name)
    scene.server.faults.append(Fault("patch", POLICY_STATUS, times=16, delay_seconds=LATE))
    await scene.lead()
    await until(lambda: scene.server.count("patch", POLICY_STATUS) == 16)
    scene.load(names[-1], queue=20)
    await until(lambda: scene.replicas(names[-1]) > 5, LATE - 0.5)
    assert not scene.status(names[-2])
    await until(lambda: all(scene.status(name) for name in names))
    assert len(scene.history(names[-1])) == 1


async def test_growth_overtakes_the_statuses_that_wait(tmp_path: Path) -> None:
    """Each status takes a while, and there are more than the connection sends at once."""
    async with leading(tmp_path, limits=replace(QUICK, concurrency=20)) as leader:
        calm = [f"calm{number}" for number in range(80)]
        for name in (*calm, "busy"):
            leader.agent(name)
            leader.policy(name)
        await leader.run_pass()
        leader.load("busy", queue=20)
        for name in calm:
            leader.set_replicas(2, name)
            leader.settle(name)
        told: list[int] = []
        leader.server.on_request = lambda verb, what: (
            told.append(leader.server.count("patch", POLICY_STATUS))
            if (verb, what) == ACT
            else None
        )
        leader.server.faults.append(Fault("patch", POLICY_STATUS, times=-1, delay_seconds=0.2))
        before = leader.server.count("patch", POLICY_STATUS)
        leader.learn()
        others = [each for each in leader.registry if each.name != "busy"]
        await leader.cycle.run(others)
        await leader.cycle.run([leader.entry("busy")])
        await leader.works.ended()
        assert told[0] - before < len(calm) / 2 < leader.server.count("patch", POLICY_STATUS)


async def test_what_is_less_urgent_waits_for_the_end_of_a_pass(scene: Scene) -> None:
    scene.agent()
    scene.policy()
    running = await scene.lead()
    await until(scene.status)
    asked, answer = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        asked.set()
        answer.wait(5)
        request.result(*scene.gauges._series(request.asked["query"]))

    scene.gauges.fault = hold
    await until(asked.is_set)
    waiting = asyncio.create_task(running.operator._loop.between_passes())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    answer.set()
    await waiting
