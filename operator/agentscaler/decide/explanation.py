"""The sentence and the hint of a decision, from its steps."""

from collections.abc import Sequence
from typing import Final

from agentscaler.decide.decision import Step

_NEEDS: Final = frozenset({"demand", "threshold", "metrics", "forecast", "wake"})


def binding(steps: Sequence[Step]) -> Step:
    """Give the step that bound the decision: the last that changed the count, else the first."""
    return next((step for step in reversed(steps) if step.is_binding), steps[0])


def sentence(current: int, steps: Sequence[Step]) -> str:
    """Tell the count and why: the need first, then what bound it."""
    replicas = steps[-1].after
    moved = "stays at" if replicas == current else f"goes from {current} to"
    need = _need(steps)
    told = f"{moved} {replicas}: {need.message}"
    bound = binding(steps)
    return told if bound is need else f"{told}; {bound.message}"


def hint(steps: Sequence[Step]) -> str:
    """Tell what would change the answer."""
    return binding(steps).hint or _need(steps).hint


def _need(steps: Sequence[Step]) -> Step:
    """Give the step that set the need: the last of those before pace, safety and bounds."""
    needs = [step for step in steps if step.name in _NEEDS]
    raised = [step for step in needs if step.is_binding]
    return (raised or needs or list(steps))[-1 if raised else 0]
