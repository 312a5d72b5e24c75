"""The decision as a fold of small stages, each of which leaves a step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from agentscaler.api.policy import PolicySpec
from agentscaler.decide import (
    anticipation,
    bounds,
    budget,
    demand,
    draining,
    explanation,
    gaps,
    pacing,
    phantoms,
    proposals,
    providers,
    reserve,
    safety,
    smoothing,
    thresholds,
    waking,
    work,
)
from agentscaler.decide.decision import Decision, Memory, Step
from agentscaler.decide.limits import UNLEARNED, Learned, Still
from agentscaler.decide.snapshot import Snapshot

Stage: TypeAlias = Callable[[int, PolicySpec, Snapshot, Memory], Step | None]
"""Takes the count so far; gives its step, or None when it has nothing to say."""

NEED: Final[tuple[Stage, ...]] = (
    demand.size,
    thresholds.size,
    proposals.propose,
    anticipation.anticipate,
    waking.wake,
    safety.close_gates,
    providers.limit,
    phantoms.tell,
)
LIMITS: Final[tuple[Stage, ...]] = (
    pacing.damp,
    pacing.stabilize,
    pacing.cool_down,
    pacing.limit_step,
    safety.only_up,
    safety.fall_back,
    budget.cap,
    bounds.bound,
    draining.protect,
)


def decide(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Decision:
    """Fold the stages: first what the load needs, then how far the count may follow it."""
    current = seen.replicas.current
    memory = gaps.bridged(policy, seen, memory)
    still = phantoms.still(policy, seen, memory)
    seen = phantoms.without(seen, still)
    limits = _limits(policy, seen, memory, still)
    if limits is not memory.limits:  # of most policies nothing is known, before and after
        memory = replace(memory, limits=limits)
    advice, needs = _fold(NEED, current, policy, seen, memory)
    replicas, limited = _fold(LIMITS, advice, policy, seen, memory)
    steps = (*needs, *limited)
    return Decision(
        at=seen.now,
        current=current,
        replicas=replicas,
        steps=steps,
        reason=explanation.binding(steps).reason,
        message=explanation.sentence(current, steps),
        hint=explanation.hint(steps),
        memory=_remember(policy, seen, memory, advice),
    )


def _fold(
    stages: tuple[Stage, ...], wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory
) -> tuple[int, list[Step]]:
    steps = []
    for stage in stages:
        step = stage(wanted, policy, seen, memory)
        if step is not None:
            steps.append(step)
            wanted = step.after
    return wanted, steps


def _remember(policy: PolicySpec, seen: Snapshot, memory: Memory, advice: int) -> Memory:
    failed = bool(safety.unknown(policy, seen, memory))
    return replace(
        memory,
        since=memory.since or seen.now,
        last=seen.now,
        advices=pacing.advised(policy, seen, memory, advice),
        failures=memory.failures + 1 if failed else 0,
        slots_per_replica=work.learned_slots(policy, seen, memory),
        ready=seen.replicas.ready,
        reserve=reserve.learned(policy, seen, memory),
        level=smoothing.learned(policy, seen, memory),
    )


def _limits(policy: PolicySpec, seen: Snapshot, memory: Memory, still: Still | None) -> Learned:
    """Give what is known of the limits after this look; the stages go by it."""
    known, current, plan = memory.limits, seen.replicas.current, policy.limits.budget
    if not policy.limits.providers and plan is None:  # most policies: nothing else to follow
        return UNLEARNED if still is None else Learned(still=still)
    grown = current - (current if known.replicas is None else known.replicas)
    return Learned(
        ceilings=providers.learned(policy, seen, memory),
        spend=None if plan is None else budget.spend(plan, seen, memory),
        still=still,
        replicas=current,
        grown=grown if grown > 0 else known.grown,
    )
