"""What an operator read on a real cluster leads the pilot to the same decisions, step by step."""

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import pytest

from agentscaler import main
from agentscaler.api.policy import PolicySpec
from agentscaler.decide import engine
from agentscaler.decide.decision import Decision, Memory
from agentscaler.decide.snapshot import Missing, Snapshot
from agentscaler.observe.sources import Settings as SourceSettings
from agentscaler.simulate.pilot import READINGS, Pilot
from tests.bed import Bed
from tests.bed.fleet import Fleet
from tests.e2e.operators import AnyOperator, kubeconfig
from tests.e2e.worlds import SYSTEM_NAMESPACE, World

pytestmark = pytest.mark.e2e

SPEC: dict[str, Any] = {
    "demand": {"scaleUp": {"cooldown": "3s"}, "scaleDown": {"cooldown": "6s", "maxStep": "50%"}},
    "prediction": {"mode": "Act", "lookahead": "30s"},
    "fallback": {"afterFailures": 4, "behavior": "AtLeast", "replicas": 7},
}
LOADS = ((2, 0), (9, 3), (16, 40), (16, 4), (3, 0), (0, 0))
SECONDS = 8.0


class Pass(NamedTuple):
    """One pass of the operator over the policy."""

    seen: Snapshot
    decision: Decision


@contextmanager
def tapped(passes: list[Pass], target: str) -> Iterator[None]:
    """Keep what the operator of this process decides for a target, and on what."""
    decide = engine.decide

    def listening(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Decision:
        decision = decide(policy, seen, memory)
        if policy.scale_target_ref.name == target:
            passes.append(Pass(seen, decision))
        return decision

    engine.decide = listening
    try:
        yield
    finally:
        engine.decide = decide


@asynccontextmanager
async def running(bed: Bed) -> Any:
    """Run an operator in this process, on the cluster."""
    settings = main.Settings(
        source=SourceSettings(bed.prometheus_here),
        kubeconfig=kubeconfig(bed),
        lease_namespace=SYSTEM_NAMESPACE,
        port=0,
    )
    operator = main.Operator(settings)
    task = asyncio.create_task(operator.run())
    try:
        yield operator
    finally:
        operator.stop()
        await task


def replayed(passes: list[Pass], spec: dict[str, Any]) -> list[Decision]:
    pilot = Pilot(spec)
    return [
        pilot.decide(
            seen.now.timestamp(),
            {READINGS[name]: _plain(value) for name, value in seen.signals.items()},
            current=seen.replicas.current,
            ready=seen.replicas.ready,
            starting=seen.replicas.starting,
        )
        for seen, _ in passes
    ]


def _plain(reading: float | Missing) -> float | None:
    return None if isinstance(reading, Missing) else reading


def essence(decision: Decision) -> Any:
    """Give a decision without the sentence of the forecast, whose history is the operator's."""
    steps = [(step.name, step.before, step.after, step.reason) for step in decision.steps]
    told = [step.message for step in decision.steps if step.name != "forecast"]
    return decision.current, decision.replicas, decision.reason, steps, told


async def test_pilot_decides_as_the_operator_did(
    installed: Bed, fleet: Fleet, operator: AnyOperator
) -> None:
    operator.terminate()
    world = World(installed, fleet)
    passes: list[Pass] = []
    try:
        with tapped(passes, "repeated"):
            async with running(installed):
                await play(world)
            history = world.history("repeated")  # what was begun is carried out and told by now
    finally:
        operator.start()
        world.close()

    spec = {"scaleTargetRef": {"name": "repeated"}, "pollingInterval": "1s", "maxReplicas": 20}
    decisions = replayed(passes, {**spec, **SPEC})
    assert len(passes) > len(LOADS) * SECONDS / 2
    assert [essence(each) for each in decisions] == [essence(each.decision) for each in passes]

    moves = [
        (f"{each.at:%Y-%m-%dT%H:%M:%SZ}", each.current, each.replicas, each.reason, each.message)
        for each in decisions
        if each.replicas != each.current
    ]
    recorded = [
        (each["time"], each["from"], each["to"], each["reason"], each["message"])
        for each in reversed(history)
    ]
    assert len(recorded) >= 4
    assert recorded == moves


async def play(world: World) -> None:
    """Show the operator a load that rises, bursts and falls."""
    await asyncio.to_thread(world.agent, "repeated")
    world.pin("repeated", queue=0, active=0)
    await asyncio.to_thread(world.policy, "repeated", **SPEC)
    for active, queue in LOADS:
        await asyncio.to_thread(world.pin, "repeated", queue=queue, active=active)
        await asyncio.sleep(SECONDS)
