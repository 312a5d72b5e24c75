"""Three agents under one leader, to whom things happen at random; the same for the same seed."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Final

from agentscaler.api.policy import Mode
from agentscaler.report import history
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS, SCALE, SLOTS
from tests.fakes.leadership import Leader
from tests.faults.dying import die_at
from tests.faults.test_metrics_faults import FAULTS

AGENTS: Final = ("one", "two", "three")
LEAST, MOST = 1, 20
# With those that hold a pass up for seconds a walk would be one of waits.
SLOW: Final = frozenset({"hanging", "dripping", "10 MB of others"})
BAD_ANSWERS: Final = tuple(fault for name, fault in FAULTS.items() if name not in SLOW)
REQUESTS: Final = (("patch", POLICY_STATUS), ("patch", SCALE), ("get", SCALE), ("create", "events"))
# A window that reaches into the future, from before a clock was set back, is waited for.
LONG: Final = 10_000


class Walk:
    """Some agents under one leader; `step` lets one thing happen, `end` makes everything whole."""

    def __init__(self, leader: Leader, chance: Random) -> None:
        self.leader = leader
        self.chance = chance
        self.load: dict[str, float] = {}
        self.mode: dict[str, Mode] = {}
        self.stuck: set[str] = set()  # whose new pods find no node
        self.remade = 0
        self.passes = 0  # of this step
        self.story: list[str] = []
        for name in AGENTS:
            leader.agent(name, replicas=2)
            self.set_policy(name)
            self.change_load(name)

    async def step(self) -> None:
        """Let one thing happen, take a pass, and look at what came of it."""
        name = self.chance.choice(AGENTS)
        happening = self.chance.choice(HAPPENINGS)
        self.story.append(f"{happening.__name__} {name}")
        happening(self, name)
        before = {each: self.leader.replicas(each) for each in AGENTS}
        blind = self.leader.gauges.fault is not None
        self.passes = 1
        await self.take_pass()
        for each in AGENTS:
            self.check(each, before[each], blind=blind)
            if each not in self.stuck and self.chance.random() < 0.8:
                self.leader.settle(each)

    async def take_pass(self) -> None:
        """Take a pass, or two of which the second waits for nothing; one in ten is not survived."""
        server = self.leader.server
        listening = not server.frozen and not any(each.verb == "*" for each in server.faults)
        after = self.chance.choice((0.5, 1, 2, 5))
        if self.chance.random() < 0.9:
            meanwhile = self.hurry if self.chance.random() < 0.3 else None
            await self.leader.run_pass(after=after, caught_up=listening, meanwhile=meanwhile)
            return
        number, answered = self.chance.randint(1, 12), self.chance.random() < 0.5
        self.story.append(f"die_at {number} {answered}")
        await die_at(self.leader, number, answered=answered, caught_up=listening)
        self.leader.restart()

    def hurry(self) -> None:
        """Change a load while that which a pass began is under way."""
        self.passes = 2
        self.story.append("hurry")
        self.change_load(self.chance.choice(AGENTS))

    def check(self, name: str, before: int, *, blind: bool) -> None:
        """Hold the invariants against what the pass did to one agent."""
        after, past = self.leader.replicas(name), self.leader.history(name)
        if after == before:
            return
        assert LEAST <= after <= MOST
        assert after > before or not blind, f"{name} was shrunk on missing data"
        assert self.mode[name] is Mode.AUTO, f"{name} was scaled in mode {self.mode[name]}"
        lately = [each for each in past[: self.passes] if not is_told_as_failed(each)]
        if lately and lately[0]["outcome"] != "Applied" and lately[0]["to"] != after:
            del lately[0]  # it was refused, and the next pass sees what came of it
        moves = [(each["from"], each["to"]) for each in lately]
        assert moves, f"{name} was scaled, and nothing on record did it: {past[:2]}"
        if (before, after) not in moves[:1]:  # two passes may have moved it twice
            (middle, end), *first = moves
            assert (first, end) == ([(before, middle)], after), f"{name}: {past[:2]}"
        ids = [each["id"] for each in past]
        assert len(set(ids)) == len(ids)
        assert sum(each["outcome"] == "Pending" for each in past) <= 1

    def set_policy(self, name: str, mode: Mode = Mode.AUTO, uid: str = "") -> None:
        self.mode[name] = mode
        self.leader.policy(name, uid=uid, minReplicas=LEAST, maxReplicas=MOST, mode=mode)

    def change_load(self, name: str) -> None:
        self.load[name] = self.chance.choice((0, 1, 6, 20, 45))
        self.leader.load(name, active=self.load[name])

    def change_all_loads(self, _name: str) -> None:
        for name in AGENTS:
            self.change_load(name)

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

    def fail_everything(self, _name: str) -> None:
        status = self.chance.choice((429, 500, 503, 504))
        self.leader.server.faults.append(Fault("*", "*", times=40, status=status))

    def answer_requests(self, _name: str) -> None:
        self.leader.server.faults.clear()

    def die(self, _name: str) -> None:
        self.leader.restart()

    def cut_watches(self, _name: str) -> None:
        self.leader.server.cut()

    def silence_watches(self, _name: str) -> None:
        self.leader.server.frozen = True

    def resume_watches(self, _name: str) -> None:
        self.leader.server.frozen = False

    def compact(self, _name: str) -> None:
        self.leader.server.objects.forget()

    def begin_rollout(self, name: str) -> None:
        key = ("agents", name)
        self.leader.server.objects.merge("deployments", key, {"status": {"updatedReplicas": 0}})

    def lack_nodes(self, name: str) -> None:
        self.stuck.add(name)

    def find_nodes(self, _name: str) -> None:
        self.stuck.clear()

    def write_replicas(self, name: str) -> None:
        self.leader.set_replicas(self.chance.randint(LEAST, MOST), name)

    def remake_policy(self, name: str) -> None:
        self.leader.delete_policy(name)
        self.remade += 1
        self.set_policy(name, uid=f"uid-{self.remade}")

    def change_mode(self, name: str) -> None:
        self.set_policy(name, self.chance.choice(tuple(Mode)), self._uid(name))

    def remake_target(self, name: str) -> None:
        self.leader.server.objects.remove("deployments", "agents", name)
        self.leader.agent(name, replicas=self.chance.randint(LEAST, MOST), active=self.load[name])

    def set_clock(self, _name: str) -> None:
        self.leader.clock.date += timedelta(seconds=self.chance.choice((-7200, -30, 30, 7200)))

    def _uid(self, name: str) -> str:
        policies = self.leader.server.objects.all("agentscalingpolicies")
        uid: str = policies["agents", name]["metadata"]["uid"]
        return uid

    async def end(self) -> None:
        """Make everything whole, and wait for a few polls beyond the window."""
        for mend in (self.answer_well, self.answer_requests, self.resume_watches, self.find_nodes):
            mend("")
        for name in AGENTS:
            self.set_policy(name, uid=self._uid(name))
        for pause in (LONG, 5, 5, 5, 5):
            for name in AGENTS:
                self.leader.settle(name)
                self.leader.load(name, active=self.load[name])
            await self.leader.run_pass(after=pause)

    def broken(self) -> list[str]:
        """Name the policies that are not healthy, or whose fleet does not fit the load."""
        return [name for name in AGENTS if not self._is_whole(name)]

    def _is_whole(self, name: str) -> bool:
        status = self.leader.status(name)
        held = {each["type"]: each["status"] for each in status["conditions"]}
        enough = self.leader.replicas(name) * SLOTS >= self.load[name]
        lean = self.leader.replicas(name) * SLOTS <= max(SLOTS, 3 * self.load[name] + SLOTS)
        return held["Ready"] == held["MetricsAvailable"] == "True" and enough and lean


def is_told_as_failed(event: Mapping[str, object]) -> bool:
    """Tell whether an event is known to have failed: of one that was overtaken nobody knows."""
    return event["outcome"] == "Failed" and event["failure"] != history.OVERTAKEN


HAPPENINGS: Final[tuple[Callable[[Walk, str], None], ...]] = (
    *(3 * (Walk.change_load,)),
    Walk.change_all_loads,
    Walk.answer_badly,
    *(2 * (Walk.answer_well,)),
    Walk.fail_requests,
    Walk.fail_everything,
    *(2 * (Walk.answer_requests,)),
    Walk.die,
    Walk.cut_watches,
    Walk.silence_watches,
    *(2 * (Walk.resume_watches,)),
    Walk.compact,
    Walk.begin_rollout,
    Walk.lack_nodes,
    Walk.find_nodes,
    Walk.write_replicas,
    Walk.remake_policy,
    Walk.change_mode,
    Walk.remake_target,
    Walk.set_clock,
)
