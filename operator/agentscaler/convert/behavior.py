"""The pace of an HPA, which KEDA takes over: what of it a policy on custom metrics keeps.

Such a policy moves at the default pace of `demand`. To write `demand` for the sake of its pace
would make the agent's own signals count, and nothing shrinks while those are unknown.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal

from agentscaler.api.fields import Model
from agentscaler.api.problems import Path
from agentscaler.api.strategies import Demand
from agentscaler.convert.draft import Draft
from agentscaler.quantities import format_duration, format_percent

_PACE: Final = Demand()
_WINDOW: Final = _PACE.scale_down.cooldown


class Allowance(Model):
    """How much one period may change."""

    type: Literal["Pods", "Percent"]
    value: int
    period_seconds: int

    def __str__(self) -> str:
        return f"{self.value}{'%' if self.type == 'Percent' else ''} in {self.period_seconds}s"


class Rules(Model):
    """The pace of one direction."""

    stabilization_window_seconds: int | None = None
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    policies: tuple[Allowance, ...] = ()
    tolerance: str | int | None = None


class Behavior(Model):
    """The pace of both directions."""

    scale_up: Rules = Rules()
    scale_down: Rules = Rules()


def tell(draft: Draft, behavior: Behavior, path: Path) -> None:
    """Note what of the pace differs."""
    for way, rules in (("scaleUp", behavior.scale_up), ("scaleDown", behavior.scale_down)):
        at = (*path, way)
        if rules.select_policy == "Disabled":
            draft.lose((*at, "selectPolicy"), f"a policy has no switch for {way} alone")
        elif rules.policies:
            draft.note((*at, "policies"), _of_steps(way, rules))
        if rules.tolerance is not None:
            draft.lose((*at, "tolerance"), "there is none: the window keeps small changes down")
    for field, sentence in _of_windows(behavior):
        draft.note((*path, *field), sentence)


def _of_steps(way: str, rules: Rules) -> str:
    step = (_PACE.scale_up if way == "scaleUp" else _PACE.scale_down).max_step
    allowed = ", ".join(str(each) for each in rules.policies)
    return (
        f"{allowed} becomes at most {format_percent(step.ratio or 0.0)} a decision, the pace of a "
        f"policy whose metrics alone decide; with demand in force, demand.{way}.maxStep"
    )


def _of_windows(behavior: Behavior) -> Iterator[tuple[tuple[str, str], str]]:
    seconds = "stabilizationWindowSeconds"
    if behavior.scale_up.stabilization_window_seconds:
        yield ("scaleUp", seconds), "growth never waits for a window here"
    asked = behavior.scale_down.stabilization_window_seconds
    if asked is not None and timedelta(seconds=asked) != _WINDOW:
        yield (
            ("scaleDown", seconds),
            f"{asked}s becomes {format_duration(_WINDOW)}, the window of a policy whose metrics "
            "alone decide; with demand in force, demand.scaleDown.cooldown",
        )
