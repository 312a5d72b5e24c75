"""The result of a decision, and what a policy carries from one decision to the next."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from agentscaler.decide.limits import UNLEARNED, Learned


class Direction(StrEnum):
    """Which way the count moves."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage did to the count, with a reason for machines and a sentence for people.

    `hint` says what would have to change for another answer. A step is `forced` when its deadline
    made it give up a protection.
    """

    name: str
    before: int
    after: int
    reason: str
    message: str
    hint: str = ""
    forced: bool = False

    @property
    def is_binding(self) -> bool:
        """Tell whether the stage changed the count, or gave up what would have."""
        return self.before != self.after or self.forced


@dataclass(frozen=True, slots=True)
class Advice:
    """How many replicas the load asked for at one moment, before pace and bounds."""

    at: datetime
    replicas: int


@dataclass(frozen=True, slots=True)
class Level:
    """The requests in service as of `at`, freed from noise, and what was learned of the noise.

    `sample` is the last reading and `change` how it differs from the one before, in square roots
    of the load. `spread` is the mean square of such changes, `echo` the mean product of successive
    ones, over so many `changes` (see `smoothing`). It is `repeated` when the last look saw the
    sample again.
    """

    at: datetime
    value: float
    sample: float
    change: float = 0.0
    spread: float = 0.0
    echo: float = 0.0
    changes: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """What a policy carries from one decision to the next.

    `since` is the first decision after a start or a gap (None before it): nothing is removed in
    that pass. `last` is the last decision, None where nobody cares for gaps (see `gaps`).
    `last_up` and `last_down` are the last scalings that were carried out; they survive restarts.
    `failures` counts the decisions in a row that lacked a reading.
    `slots_per_replica` is the last capacity seen of one replica, for when no replica can tell,
    and `ready` the number of ready replicas at the last decision. `reserve` is the room above the
    load that the wait target was found to need, in square roots of the load (see `reserve`).
    `level` is the load in service without its noise. `limits` is what is known of what the fleet
    may not outgrow.
    """

    since: datetime | None = None
    last: datetime | None = None
    last_up: datetime | None = None
    last_down: datetime | None = None
    advices: tuple[Advice, ...] = ()
    failures: int = 0
    slots_per_replica: float | None = None
    ready: int | None = None
    reserve: float | None = None
    level: Level | None = None
    limits: Learned = UNLEARNED


@dataclass(frozen=True, slots=True)
class Decision:
    """The count a target should have, the steps that led there, the memory for next time."""

    at: datetime
    current: int
    replicas: int
    steps: tuple[Step, ...]
    reason: str
    message: str
    hint: str
    memory: Memory

    @property
    def direction(self) -> Direction:
        """Tell which way the count moves."""
        if self.replicas > self.current:
            return Direction.UP
        return Direction.DOWN if self.replicas < self.current else Direction.NONE


def carried_out(decision: Decision) -> Memory:
    """Give the memory once the decision was carried out: its direction's clock starts now."""
    if decision.direction is Direction.UP:
        return replace(decision.memory, last_up=decision.at)
    if decision.direction is Direction.DOWN:
        return replace(decision.memory, last_down=decision.at)
    return decision.memory
