"""A walk of random faults: the same for the same seed, short by default.

`FAULT_WALK_STEPS=20000 FAULT_WALK_SEED=7 make test-faults` takes a long one. After each pass the
invariants are checked; at the end of the walk everything is whole again, and within three polls
every policy is healthy and every fleet as large as its load needs.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS, SCALE, SLOTS
from tests.fakes.connected import PATIENT
from tests.fakes.leadership import Leader, leading
from tests.faults.test_metrics_faults import FAULTS

STEPS: Final = int(os.environ.get("FAULT_WALK_STEPS", "120"))
SEED: Final = int(os.environ.get("FAULT_WALK_SEED", "1"))
AGENTS: Final = ("one", "two", "three")
LEAST, MOST = 1, 20
# Those that hold a pass up to its deadline would make a walk of waits.
BAD_ANSWERS: Final = tuple(
    fault for name, fault in FAULTS.items() if name not in {"hanging", "dripping"}
)
REQUESTS: Final = (("patch", POLICY_STATUS), ("patch", SCALE), ("get", SCALE), ("create", "events"))


class Walk:
    """Some agents under one leader, to whom things happen."""

    def __init__(self, leader: Leader, chance: Random) -> None:
        self.leader = leader
        self.chance = chance
        self.load: dict[str, float] = {}
        for name in AGENTS:
            leader.agent(name, replicas=2)
            leader.policy(name, minReplicas=LEAST, maxReplicas=MOST)
            self.change_load(name)

    async def step(self) -> None:
        """Let one thing happen, take a pass, and look at what came of it."""
        name = self.chance.choice(AGENTS)
        happening = self.chance.choice(HAPPENINGS)
        happening(self, name)
        before = {each: self.leader.replicas(each) for each in AGENTS}
        blind = self.leader.gauges.fault is not None
        await self.leader.run_pass(after=self.chance.choice((0.5, 1, 2, 5)))
        for each in AGENTS:
            self.check(each, before[each], blind=blind)
            if self.chance.random() < 0.8:
                self.leader.settle(each)

    def check(self, name: str, before: int, *, blind: bool) -> None:
        """Hold the invariants against what the pass did to one agent."""
        after, past = self.leader.replicas(name), self.leader.history(name)
        if after == before:
            return
        assert LEAST <= after <= MOST
        assert after > before or not blind, f"{name} was shrunk on missing data"
        newest = past[0]
        assert (newest["from"], newest["to"]) == (before, after), f"{name}: {past[:2]}"
        ids = [each["id"] for each in past]
        assert len(set(ids)) == len(ids)
        assert sum(each["outcome"] == "Pending" for each in past) <= 1

    def change_load(self, name: str) -> None:
        self.load[name] = self.chance.choice((0, 1, 6, 20, 45))
        self.leader.load(name, active=self.load[name])

    def answer_badly(self, _name: str) -> None:
        self.leader.gauges.fault = self.chance.choice(BAD_ANSWERS)

    def answer_well(self, _name: str) -> None:
        self.leader.gauges.fault = None

    def fail_requests(self, _name: str) -> None:
        verb, what = self.chance.choice(REQUESTS)
        self.leader.server.faults.append(
            Fault(
                verb,
                what,
                times=self.chance.randint(1, 5),
                status=self.chance.choice((403, 404, 409, 429, 500, 503)),
                carried_out=self.chance.random() < 0.4,
            )
        )

    def answer_requests(self, _name: str) -> None:
        self.leader.server.faults.clear()

    def die(self, _name: str) -> None:
        self.leader.restart()

    def cut_watches(self, _name: str) -> None:
        self.leader.server.cut()

    def begin_rollout(self, name: str) -> None:
        key = ("agents", name)
        self.leader.server.objects.merge("deployments", key, {"status": {"updatedReplicas": 0}})

    def write_replicas(self, name: str) -> None:
        self.leader.set_replicas(self.chance.randint(LEAST, MOST), name)

    def remake_policy(self, name: str) -> None:
        self.leader.delete_policy(name)
        uid = f"uid-{self.chance.random()}"
        self.leader.policy(name, uid=uid, minReplicas=LEAST, maxReplicas=MOST)

    def set_clock(self, _name: str) -> None:
        self.leader.clock.date += timedelta(seconds=self.chance.choice((-7200, -30, 30, 7200)))

    async def end(self) -> None:
        """Make everything whole, and wait for three polls beyond the window."""
        self.answer_well("")
        self.answer_requests("")
        # A window that reaches into the future, from before a clock was set back, is waited for.
        for pause in (10_000, 5, 5, 5, 5):
            for name in AGENTS:
                self.leader.settle(name)
                self.leader.load(name, active=self.load[name])
            await self.leader.run_pass(after=pause)

    def whole(self, name: str) -> bool:
        """Tell whether a policy is healthy and its fleet fits its load."""
        status = self.leader.status(name)
        held = {each["type"]: each["status"] for each in status["conditions"]}
        enough = self.leader.replicas(name) * SLOTS >= self.load[name]
        lean = self.leader.replicas(name) * SLOTS <= max(SLOTS, 3 * self.load[name] + SLOTS)
        return held["Ready"] == held["MetricsAvailable"] == "True" and enough and lean


HAPPENINGS: Final[tuple[Callable[[Walk, str], None], ...]] = (
    Walk.change_load,
    Walk.change_load,
    Walk.change_load,
    Walk.answer_badly,
    Walk.answer_well,
    Walk.answer_well,
    Walk.fail_requests,
    Walk.answer_requests,
    Walk.die,
    Walk.cut_watches,
    Walk.begin_rollout,
    Walk.write_replicas,
    Walk.remake_policy,
    Walk.set_clock,
)


async def test_walk_of_faults_keeps_the_invariants_and_ends_whole(tmp_path: Path) -> None:
    async with leading(tmp_path, limits=PATIENT, deadline=timedelta(seconds=2)) as leader:
        walk = Walk(leader, Random(SEED))  # noqa: S311 - to be repeated, not to be secret
        for _ in range(STEPS):
            await walk.step()
        await walk.end()
        assert [name for name in AGENTS if not walk.whole(name)] == []
