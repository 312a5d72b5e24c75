"""The whole operator in this process: it starts, leads, scales, and ends without a trace."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from agentscaler import conventions
from agentscaler.control.loop import Loop
from agentscaler.errors import LeadershipLostError, UsageError
from agentscaler.handlers import lifecycle
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS, SCALE
from tests.fakes.connected import until
from tests.fakes.faulty_prometheus import Request
from tests.fakes.operated import Running, Scene, staged

LEASES = "leases"
AUTOSCALERS = "horizontalpodautoscalers"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(tmp_path) as made:
        yield made
    # kopf now and then leaves behind one that waits for a pause; asyncio.run would cancel it.
    left = {each for each in asyncio.all_tasks() if not each.get_name().startswith("pause-waiter")}
    left.discard(asyncio.current_task())
    _, alive = await asyncio.wait(left, timeout=20) if left else ((), ())
    assert not alive


def has_scaled(scene: Scene, times: int = 1, name: str = "agent") -> bool:
    past = scene.history(name)
    return [each["outcome"] for each in past] == ["Applied"] * times


async def test_operator_scales_and_tells_of_it(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    await scene.lead()
    await until(lambda: has_scaled(scene))
    assert scene.replicas() == scene.history()[0]["to"] > 5
    await until(lambda: len(scene.events("ScaledUp")) == 2)


async def test_policies_are_followed_as_they_come_change_and_go(scene: Scene) -> None:
    await scene.lead()
    scene.agent(queue=200)
    scene.policy(maxReplicas=3)
    await until(lambda: scene.replicas() == 3)
    scene.settle()
    scene.policy(maxReplicas=7)
    await until(lambda: scene.replicas() == 7)
    scene.delete_policy()
    scene.policy("other", scaleTargetRef={"name": "agent"}, maxReplicas=9)
    await until(lambda: scene.replicas() == 9)


async def test_histories_wait_for_the_wave_of_first_statuses(scene: Scene) -> None:
    """One or the other that the first pass leaves out may come later."""
    names = [f"agent{number}" for number in range(20)]
    for name in names:
        scene.agent(name, replicas=2, active=2)
        scene.policy(name, minReplicas=2, prediction={"mode": "Observe"})
    scene.server.faults.append(Fault("patch", POLICY_STATUS, times=-1, delay_seconds=0.2))
    told: list[int] = []
    scene.start()

    def note_history(request: Request) -> None:
        if "query_range" in request.path:
            told.append(sum(bool(scene.status(name)) for name in names))
        request.result(*scene.gauges._series(request.asked["query"]))

    scene.gauges.fault = note_history
    await until(lambda: told)
    assert min(told) > len(names) / 2


async def test_target_that_comes_later_is_taken_up(scene: Scene) -> None:
    scene.policy()
    await scene.lead()
    await until(lambda: scene.status().get("reason") == "TargetNotFound")
    scene.agent(queue=20)
    await until(lambda: has_scaled(scene))


async def test_only_followed_namespaces_are_scaled(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    running = await scene.lead(namespaces=("elsewhere",))
    await running.stop()
    assert scene.status() == {}


async def test_stopped_operator_gives_the_lease_back_and_leaves_nothing(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    running = await scene.lead()
    await until(lambda: has_scaled(scene))
    assert scene.holder() == running.identity
    await running.stop()
    assert scene.holder() == ""
    assert scene.server.objects.all(LEASES)


async def test_what_was_begun_is_ended_before_the_stop(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    running = scene.start()
    scene.server.on_request = lambda verb, what: (
        running.operator.stop() if (verb, what) == ("patch", SCALE) else None
    )
    await running.task
    assert has_scaled(scene)
    assert scene.replicas() == scene.history()[0]["to"]
    assert scene.holder() == ""
    assert scene.server.requests[-1] == ("update", LEASES)


async def test_standby_that_is_stopped_never_writes(scene: Scene) -> None:
    await scene.lead()
    standby = scene.start()
    await until(lambda: scene.server.count("watch", conventions.PLURAL) == 2)
    holder = scene.holder()
    await standby.stop()
    assert scene.holder() == holder != standby.identity


async def test_one_of_two_operators_writes_and_the_other_takes_over_warm(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy(threshold={"scaleUp": {"cooldown": "1h"}})
    first = await scene.lead()
    standby = scene.start()
    await until(lambda: has_scaled(scene))
    await until(lambda: scene.server.count("watch", conventions.PLURAL) == 2)
    assert (standby.is_leading, scene.writes().count(("patch", SCALE))) == (False, 1)
    await first.stop()
    await until(lambda: standby.is_leading)
    assert scene.holder() == standby.identity
    before = len(scene.writes())
    decisions = standby.operator._telemetry.decisions
    await until(lambda: decisions._value.get() >= 2)
    # It knows from the record that the scaling was, and when: nothing is scaled or told again.
    assert has_scaled(scene)
    assert ("patch", SCALE) not in scene.writes()[before:]
    assert len(scene.events("ScaledUp")) == 2


async def test_one_renewal_without_an_answer_costs_no_leadership(scene: Scene) -> None:
    """The server took it in: the next one finds that out while there is a right to write."""
    running = await scene.lead()
    renewed = ("update", LEASES)
    before = scene.server.count(*renewed)
    scene.server.faults.append(Fault(*renewed, hang=True, carried_out=True))
    # That one, one that is refused for the version, one that builds on the look, and the next.
    await until(lambda: scene.server.count(*renewed) >= before + 4)
    assert running.is_leading


async def test_operator_that_lost_the_lease_ends_and_writes_no_more(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    running = await scene.lead()
    await until(lambda: has_scaled(scene))
    (lease,) = scene.server.objects.all(LEASES).values()
    scene.server.objects.put(
        LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": "thief"}}
    )
    with pytest.raises(LeadershipLostError, match="held by thief"):
        async with asyncio.timeout(40):
            await running.task
    before = len(scene.writes())
    scene.settle()
    scene.load(queue=90)
    await asyncio.sleep(0.1)
    assert scene.writes()[before:] == []
    assert scene.holder() == "thief"


async def test_event_that_was_not_sent_is_sent_by_the_next_leader(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    lost = Fault("create", "events", times=-1)
    scene.server.faults.append(lost)
    first = await scene.lead()
    await until(lambda: has_scaled(scene))
    await first.stop()
    assert scene.events("ScaledUp") == []
    scene.server.faults.clear()
    await scene.lead()
    await until(lambda: len(scene.events("ScaledUp")) == 2)
    assert all(scene.history()[0]["id"] in told["message"] for told in scene.events("ScaledUp"))


@pytest.mark.parametrize("hang", [True, False], ids=["under way", "to be tried again"])
async def test_event_that_is_not_told_yet_is_told_before_the_stop(scene: Scene, hang: bool) -> None:
    scene.agent(queue=20)
    scene.policy()
    scene.server.faults.append(Fault("create", "events", times=2, hang=hang))
    running = await scene.lead()
    await until(lambda: scene.server.count("create", "events") == 2)
    await running.stop()
    assert len(scene.events("ScaledUp")) == 2


async def test_operator_that_cannot_take_over_yet_can_be_stopped(scene: Scene) -> None:
    scene.policy()
    running = scene.start()
    fault = Fault("list", conventions.PLURAL, times=-1, status=403)
    scene.server.faults.append(fault)
    await until(lambda: scene.holder() == running.identity)
    await running.stop()
    assert scene.holder() == ""


async def test_panic_of_a_library_is_no_quiet_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicError(BaseException):
        """As libraries in other languages raise them: no Exception."""

    def panicking(*_: object, **__: object) -> NoReturn:
        raise PanicError("broken on purpose")

    monkeypatch.setattr(Loop, "run", panicking)
    with pytest.raises(PanicError):
        await scene.start().task


async def test_failing_api_server_is_outlived(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    await scene.lead()
    await until(lambda: has_scaled(scene))
    scene.settle()
    scene.load(queue=150)
    await scene.server.stop()
    await asyncio.sleep(1.5)  # a poll or two
    await scene.server.start()
    await until(lambda: has_scaled(scene, times=2))
    assert scene.replicas() == scene.history()[0]["to"]


async def test_taken_port_ends_the_operator_in_one_sentence(scene: Scene) -> None:
    taken = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    running = scene.start(port=taken.sockets[0].getsockname()[1])
    with pytest.raises(UsageError, match="cannot listen"):
        await running.task
    taken.close()
    await taken.wait_closed()


async def test_status_is_patched_only_by_the_leader(scene: Scene) -> None:
    scene.agent(active=1)
    scene.policy()
    await scene.lead()
    standbys = [scene.start() for _ in range(2)]
    await until(lambda: scene.status().get("conditions"))
    await until(lambda: scene.server.count("watch", conventions.PLURAL) == 3)
    assert not any(each.is_leading for each in standbys)
    assert scene.server.count("patch", POLICY_STATUS) <= 2


async def test_operator_ends_when_the_cluster_knows_no_policies(scene: Scene) -> None:
    scene.server.faults.append(Fault("list", conventions.PLURAL, times=-1, status=404))
    running = scene.start()
    with pytest.raises(UsageError, match="does not know AgentScalingPolicy: apply crds/"):
        await running.task


async def test_operator_waits_for_an_api_server_that_fails_at_the_start(scene: Scene) -> None:
    scene.server.faults.append(Fault("list", conventions.PLURAL, times=3, status=403))
    scene.agent(queue=20)
    scene.policy()
    await scene.lead()
    await until(lambda: has_scaled(scene))


def leaders(running: Running) -> float:
    """Give what the operator exports of itself, the sum over the shards."""
    (metric,) = running.operator._telemetry.leader.collect()
    return sum(sample.value for sample in metric.samples)


async def test_operator_does_not_call_itself_leader_before_it_has_taken_over(scene: Scene) -> None:
    """The alert for want of a leader has to tell of one that holds the Lease and does nothing."""
    scene.server.faults.append(Fault("list", conventions.PLURAL, times=-1, status=403))
    running = scene.start()
    await until(lambda: scene.holder() == running.identity)
    before = scene.server.count("list", conventions.PLURAL)
    await until(lambda: scene.server.count("list", conventions.PLURAL) > before + 2)
    assert leaders(running) == 0
    scene.server.faults.clear()
    await until(lambda: running.is_leading)
    assert leaders(running) == 1
    await running.stop()
    assert leaders(running) == 0


async def test_operator_is_ready_once_it_knows_every_policy(scene: Scene) -> None:
    scene.agent()
    scene.policy()
    running = scene.start()
    assert running.operator._unready == "policies are not watched yet"
    await until(lambda: running.operator._unready == "")
    assert len(running.operator._registry) == 1


async def test_error_in_the_watch_of_policies_loses_no_scaling(scene: Scene) -> None:
    """kopf ends on any error but 410; a kubelet would start the container again."""
    scene.agent(queue=20)
    scene.policy()
    running = await scene.lead()
    await until(lambda: has_scaled(scene))
    tired = {"kind": "Status", "code": 500, "message": "etcd is tired"}
    scene.server.objects.announce(conventions.PLURAL, "ERROR", tired)
    with pytest.raises(Exception, match="etcd is tired"):
        await asyncio.wait_for(running.task, 40)
    scene.server.objects.log.clear()
    scene.running.clear()
    scene.settle()
    scene.load(queue=80)
    await scene.lead()
    await until(lambda: len(scene.history()) == 2)
    await until(lambda: {each["outcome"] for each in scene.history()} == {"Applied"})


async def test_watch_of_policies_that_falls_silent_is_opened_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = lifecycle.settings()
    impatient.watching.inactivity_timeout = 0.5
    monkeypatch.setattr(lifecycle, "settings", lambda: impatient)
    scene.agent(queue=200)
    scene.policy(maxReplicas=3)
    await scene.lead()
    await until(lambda: scene.replicas() == 3)
    before = scene.server.count("watch", conventions.PLURAL)
    scene.server.frozen = True  # nothing ends it, and nothing comes
    scene.settle()
    scene.policy(maxReplicas=7)
    await until(lambda: scene.server.count("watch", conventions.PLURAL) > before)
    scene.server.frozen = False
    await until(lambda: scene.replicas() == 7)
