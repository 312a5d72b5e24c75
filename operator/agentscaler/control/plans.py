"""What a pass leads to for one policy: what was seen of it, and what is to be written or done."""

from collections.abc import Callable
from dataclasses import dataclass

from agentscaler.api.policy import Mode
from agentscaler.api.status import PolicyStatus, ScalingEvent
from agentscaler.control.proceeding import Line
from agentscaler.control.registry import Entry
from agentscaler.control.standing import Workable
from agentscaler.decide.decision import Decision, Direction
from agentscaler.decide.draining import Retreat
from agentscaler.decide.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Looked:
    """A policy, what was seen of it, and what that leads to.

    `landed` is a scaling of before that turns out to have been carried out.
    """

    entry: Entry
    workable: Workable
    snapshot: Snapshot
    decision: Decision
    landed: ScalingEvent | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written for one policy: its next status, and the decision to carry out.

    The status is put into words by `compose`; without that, none is worth a write. `retreat` says
    which pods go; `keeps` is true while nothing can be said about those chosen before. `asked` is
    the count that the target is asked for, None where that is not known.
    """

    entry: Entry
    compose: Callable[[], PolicyStatus] | None = None
    workable: Workable | None = None
    decision: Decision | None = None
    retreat: Retreat | None = None
    keeps: bool = False
    asked: int | None = None

    @property
    def scales(self) -> bool:
        """Tell whether the decision is another count, and is to be carried out."""
        if self.workable is None or self.decision is None:
            return False
        return scales(self.workable, self.decision)

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing is to be written or done: so it is after most decisions."""
        releases = bool(self.entry.draining) and not self.keeps
        return self.compose is None and self.retreat is None and not self.scales and not releases

    @property
    def line(self) -> Line:
        """Tell where it waits for its turn."""
        if not self.scales:
            return Line.STATUS
        grows = self.decision is not None and self.decision.direction is Direction.UP
        return Line.GROWTH if grows else Line.RETREAT

    @property
    def is_outdated(self) -> bool:
        """Tell whether the policy, or the spec that it follows, is gone: it is looked at anew."""
        changed = self.workable is not None and self.entry.policy is not self.workable.policy
        return self.entry.gone or changed


def scales(workable: Workable, decision: Decision) -> bool:
    """Tell whether a decision is another count, and is to be carried out."""
    return decision.direction is not Direction.NONE and workable.policy.spec.mode is Mode.AUTO
