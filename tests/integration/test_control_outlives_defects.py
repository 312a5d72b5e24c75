"""A defect, a query or a server that is about one policy disturbs no other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agentscaler.api.policy import Policy
from agentscaler.control import scaling
from agentscaler.control.cycle import Cycle
from agentscaler.control.registry import Entry
from agentscaler.control.standing import Judge, Standing
from agentscaler.decide import engine
from agentscaler.forecast.bank import Bank
from agentscaler.observe import asks, readings
from agentscaler.observe.asks import Wants
from agentscaler.observe.readings import Answers, Readings
from agentscaler.observe.sources import Sources
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import SCALE
from tests.fakes.connected import PATIENT, until
from tests.fakes.faulty_prometheus import Request, serving
from tests.fakes.leadership import Leader, leading

ACT = ("patch", SCALE)
NAMES = ("a", "b", "c")


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        yield made


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path, limits=PATIENT) as made:
        yield made


async def test_defect_in_the_judging_of_one_policy_disturbs_no_other(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)
    judge = Judge.judge

    def defective(self: Judge, entry: Entry, now: datetime) -> Standing:
        if entry.name == "b":
            raise RuntimeError("broken on purpose")
        return judge(self, entry, now)

    with monkeypatch.context() as broken:
        broken.setattr(Judge, "judge", defective)
        assert await leader.run_pass() == []
    assert [leader.replicas(name) > 5 for name in NAMES] == [True, False, True]
    await leader.run_pass()
    assert leader.replicas("b") > 5


async def test_defect_in_the_decision_for_one_policy_disturbs_no_other(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)
    decide = engine.decide

    def defective(spec: Any, *more: Any) -> Any:
        if spec.scale_target_ref.name == "b":
            raise RuntimeError("broken on purpose")
        return decide(spec, *more)

    with monkeypatch.context() as broken:
        broken.setattr(engine, "decide", defective)
        assert await leader.run_pass() == []
    assert [leader.replicas(name) > 5 for name in NAMES] == [True, False, True]


async def test_query_that_breaks_its_parser_disturbs_no_other(leader: Leader) -> None:
    leader.busy("a", "c")
    leader.agent("b")
    query = {"name": "odd", "query": "rate(foo[1e400])", "target": {"perReplica": "1"}}
    leader.policy("b", metrics=[query])
    assert await leader.run_pass() == []
    assert [leader.replicas(name) > 5 for name in NAMES] == [True, False, True]
    assert leader.conditions("b")["MetricsAvailable"][0] == "False"


async def test_defect_in_the_questions_of_one_policy_disturbs_no_other(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)
    wants_of = asks.wants_of

    def defective(policy: Policy, *more: Any) -> Any:
        if policy.name == "b":
            raise RuntimeError("broken on purpose")
        return wants_of(policy, *more)

    with monkeypatch.context() as broken:
        broken.setattr(asks, "wants_of", defective)
        assert await leader.run_pass() == []
    assert [leader.replicas(name) > 5 for name in NAMES] == [True, False, True]
    await leader.run_pass()
    assert leader.replicas("b") > 5


async def test_defect_in_the_asking_of_a_server_ends_no_pass(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)

    def defective(*_: object) -> Any:
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as broken:
        broken.setattr(Sources, "find", defective)
        assert await leader.run_pass() == []
    assert [leader.replicas(name) for name in NAMES] == [1, 1, 1]
    await leader.run_pass()
    assert all(leader.replicas(name) > 5 for name in NAMES)


async def test_defect_in_the_reading_of_one_policys_answers_disturbs_no_other(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)
    join = readings.join

    def defective(wants: Wants, answers: Answers) -> Readings:
        if wants.agent[1] == "b":
            raise RuntimeError("broken on purpose")
        return join(wants, answers)

    monkeypatch.setattr(readings, "join", defective)
    assert await leader.run_pass() == []
    assert [leader.replicas(name) > 5 for name in NAMES] == [True, False, True]


def hang(request: Request) -> None:
    request.server.ended.wait()


@pytest.fixture
def read_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name policies as all that they asked for has been answered, or given up."""
    names: list[str] = []
    observe = Cycle._observe

    async def noted(self: Cycle, policies: list[Policy], now: datetime) -> Mapping[str, Readings]:
        found = await observe(self, policies, now)
        names.extend(policy.name for policy in policies)
        return found

    monkeypatch.setattr(Cycle, "_observe", noted)
    return names


async def test_server_that_hangs_keeps_no_policy_of_another_from_growing(
    leader: Leader, read_for: list[str]
) -> None:
    leader.busy("a")
    leader.agent("b")
    with serving(hang) as hanging:
        leader.sources._allowed.add(hanging.address)
        leader.policy("b", prometheus={"serverAddress": hanging.address})
        passing = asyncio.create_task(leader.run_pass())
        await until(lambda: leader.replicas("a") > 5)
        assert read_for == ["a"]
        hanging.ended.set()
        assert await passing == []


async def test_secret_that_is_waited_for_keeps_no_policy_without_one_from_growing(
    patient: Leader, read_for: list[str]
) -> None:
    leader = patient
    leader.busy("a")
    leader.agent("b")
    leader.policy("b", prometheus={"authSecretRef": {"name": "keys"}})
    leader.server.faults.append(Fault("get", "secrets", delay_seconds=5))
    passing = asyncio.create_task(leader.run_pass())
    await until(lambda: leader.replicas("a") > 5)
    assert read_for == ["a"]
    assert await passing == []


async def test_defect_in_the_forecasts_keeps_nobody_from_growing(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)

    def defective(*_: object) -> Any:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(Bank, "observe", defective)
    assert await leader.run_pass() == []
    assert all(leader.replicas(name) > 5 for name in NAMES)


async def test_defect_in_the_act_for_one_policy_disturbs_no_other(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.busy(*NAMES)
    carry_out = scaling.carry_out

    async def defective(api: Any, policy: Any, decision: Any, seen: Any, **more: Any) -> Any:
        if policy.name == "b":
            raise RuntimeError("broken on purpose")
        return await carry_out(api, policy, decision, seen, **more)

    with monkeypatch.context() as broken:
        broken.setattr(scaling, "carry_out", defective)
        assert await leader.run_pass() == []
    await leader.run_pass()
    assert [len(leader.history(name)) for name in NAMES] == [1, 1, 1]
    assert all(leader.replicas(name) == leader.history(name)[0]["to"] for name in NAMES)
