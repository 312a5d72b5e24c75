"""Provider limits: growth stops while calls are refused; the ceiling is cut and raised again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import PolicySpec
from agentscaler.decide import bounds
from agentscaler.decide.decision import Decision, Memory, carried_out
from agentscaler.decide.engine import decide
from agentscaler.decide.limits import Ceiling
from agentscaler.decide.snapshot import Reading, Snapshot
from tests.unit.decide import worlds
from tests.unit.decide.worlds import MINUTE, NOON, OLD, SECOND, UNKNOWN, policy, seen

FAST = {"scaleUp": {"maxStep": 100}, "scaleDown": {"maxStep": 100, "cooldown": "0s"}}
OPENAI = {"providers": [{"name": "openai"}]}


def limited(**fields: object) -> PolicySpec:
    return policy(demand=FAST, limits=OPENAI, **fields)


def remembering(*ceilings: Ceiling, grown: int = 0, last_up: datetime | None = None) -> Memory:
    known = replace(OLD.limits, ceilings=ceilings, grown=grown, replicas=None)
    return replace(OLD, limits=known, last_up=last_up)


def look(
    ratio: Reading, *, at: datetime = NOON, replicas: int = 10, queue: float = 60, busy: float = 4
) -> Snapshot:
    """Give ten replicas with work for more than twenty, unless said otherwise."""
    shown = seen(at, replicas=replicas, queue_depth=queue, active_requests=busy)
    return replace(shown, providers={"openai": ratio})


def ceiling_of(decision: Decision) -> Ceiling | None:
    return next(iter(decision.memory.limits.ceilings), None)


def test_fleet_follows_its_load_while_few_calls_are_refused() -> None:
    decision = decide(limited(), look(0.05), OLD)
    assert decision.replicas > 20
    assert ceiling_of(decision) is None


def test_nothing_is_added_while_too_many_calls_are_refused() -> None:
    decision = decide(limited(), look(0.12), OLD)
    assert (decision.replicas, decision.reason) == (10, "ProviderLimited")
    assert "provider openai refuses 12% of the calls, more than 5%" in decision.message
    assert ceiling_of(decision) == Ceiling("openai", 10, 1, NOON)


def test_fleet_is_frozen_for_a_minute_then_cut_by_a_fifth_each_minute() -> None:
    spec, memory, ceilings = limited(), OLD, []
    for poll in range(13):  # three minutes, every 15 s
        decision = decide(spec, look(0.2, at=NOON + poll * 15 * SECOND), memory)
        memory = decision.memory
        ceilings.append(ceiling_of(decision))
    assert [each.replicas for each in ceilings if each] == [10] * 4 + [8] * 4 + [6] * 4 + [4]


def test_cut_fleet_keeps_what_is_busy() -> None:
    memory = remembering(Ceiling("openai", 10, 1, NOON - MINUTE))
    decision = decide(limited(), look(0.2, busy=35), memory)  # 35 of 40 slots: 9 replicas
    assert decision.replicas == 9


def test_cut_fleet_keeps_its_minimum() -> None:
    memory = remembering(Ceiling("openai", 10, 1, NOON - MINUTE))
    assert decide(limited(minReplicas=9), look(0.2), memory).replicas == 9


def test_ceiling_rises_by_a_step_each_minute_once_few_calls_are_refused() -> None:
    memory = remembering(Ceiling("openai", 10, 2, NOON - MINUTE))
    raised = decide(limited(), look(0.01), memory)
    assert (raised.replicas, ceiling_of(raised)) == (12, Ceiling("openai", 12, 2, NOON))
    soon = decide(limited(), look(0.01, at=NOON + 59 * SECOND, replicas=12), raised.memory)
    assert soon.replicas == 12
    assert "took the calls of 12 replicas, and refused those of more" in soon.message


def test_ceiling_at_the_maximum_is_forgotten() -> None:
    memory = remembering(Ceiling("openai", 99, 1, NOON - MINUTE))
    assert ceiling_of(decide(limited(), look(0.0), memory)) is None


def test_refusals_right_after_a_growth_halve_the_next_step_and_cut_nothing() -> None:
    memory = remembering(grown=8, last_up=NOON - 30 * SECOND)
    frozen = decide(limited(), look(0.3, replicas=16), memory)
    assert ceiling_of(frozen) == Ceiling("openai", 16, 4, NOON)
    later = NOON + MINUTE
    still = decide(limited(), look(0.3, at=later, replicas=16), frozen.memory)
    assert ceiling_of(still) == Ceiling("openai", 16, 4, later)
    calm = decide(limited(), look(0.0, at=later, replicas=16), frozen.memory)
    assert calm.replicas == 20


def test_refusals_later_than_two_minutes_after_a_growth_cut() -> None:
    known = Ceiling("openai", 16, 4, NOON - MINUTE)
    memory = remembering(known, grown=8, last_up=NOON - 150 * SECOND)
    cut = ceiling_of(decide(limited(), look(0.3, replicas=16), memory))
    assert cut is not None
    assert cut.replicas == 12


@pytest.mark.parametrize(("grown", "kept"), [(0, 12), (1, 16)], ids=["unknown", "one replica"])
def test_only_a_growth_of_known_size_excuses_refusals(grown: int, kept: int) -> None:
    known = Ceiling("openai", 16, 1, NOON - MINUTE)
    memory = remembering(known, grown=grown, last_up=NOON - 30 * SECOND)
    ceiling = ceiling_of(decide(limited(), look(0.3, replicas=16), memory))
    assert ceiling is not None
    assert ceiling.replicas == kept


@pytest.mark.parametrize(
    ("replicas", "grown", "found"),
    [(40, 0, (40, 2)), (4, 0, (4, 1)), (16, 7, (16, 3)), (16, 1, (16, 1)), (1, 0, (1, 1))],
    ids=["a twentieth", "one at least", "half of what was added", "of one", "one replica"],
)
def test_first_ceiling_is_the_fleet_and_rises_by_whole_replicas(
    replicas: int, grown: int, found: tuple[int, int]
) -> None:
    memory = remembering(grown=grown, last_up=NOON - 30 * SECOND if grown else None)
    ceiling = ceiling_of(decide(limited(), look(0.3, replicas=replicas), memory))
    assert ceiling is not None
    assert (ceiling.replicas, ceiling.step) == found


def test_step_that_was_small_stays_small_after_another_growth() -> None:
    memory = remembering(
        Ceiling("openai", 16, 1, NOON - MINUTE), grown=8, last_up=NOON - 30 * SECOND
    )
    ceiling = ceiling_of(decide(limited(), look(0.3, replicas=16), memory))
    assert ceiling == Ceiling("openai", 16, 1, NOON)


def test_ceiling_of_one_replica_stays() -> None:
    memory = remembering(Ceiling("openai", 1, 1, NOON - 10 * SECOND))
    ceiling = ceiling_of(decide(limited(), look(0.3, replicas=4), memory))
    assert ceiling == Ceiling("openai", 1, 1, NOON - 10 * SECOND)


def test_ceiling_above_the_need_adds_nothing_and_is_not_spoken_of() -> None:
    need = decide(limited(), look(0.0), OLD).replicas
    for ceiling in (need, need + 10):
        decision = decide(limited(), look(0.0), remembering(Ceiling("openai", ceiling, 1, NOON)))
        assert decision.replicas == need
        assert "providers" not in [step.name for step in decision.steps]


def test_ceiling_tells_when_it_may_rise() -> None:
    decision = decide(limited(), look(0.0), remembering(Ceiling("openai", 10, 2, NOON)))
    assert decision.hint.endswith("its ceiling of 10 may rise by 2 from 12:01:00 on")


def test_growth_is_remembered_by_its_size() -> None:
    first = decide(limited(), look(0.0, replicas=4, queue=40), OLD)
    memory = carried_out(first)
    second = decide(limited(), look(0.5, at=NOON + 15 * SECOND, replicas=first.replicas), memory)
    third = decide(
        limited(), look(0.5, at=NOON + 30 * SECOND, replicas=first.replicas), second.memory
    )
    assert third.memory.limits.grown == first.replicas - 4


@pytest.mark.parametrize("known", [(), (Ceiling("openai", 6, 1, NOON - MINUTE),)])
def test_unknown_ratio_neither_frees_nor_cuts(known: tuple[Ceiling, ...]) -> None:
    decision = decide(limited(), look(UNKNOWN), remembering(*known))
    assert decision.memory.limits.ceilings == known
    assert decision.replicas == 10 if known else decision.replicas > 20


def test_lowest_ceiling_of_several_providers_holds() -> None:
    spec = policy(demand=FAST, limits=worlds.LIMITS)
    work = replace(look(0.0), providers={"openai": 0.0, "own": 0.3})
    memory = remembering(Ceiling("openai", 14, 1, NOON), Ceiling("own", 12, 1, NOON))
    decision = decide(spec, work, memory)
    assert decision.replicas == 10
    assert "provider own" in decision.message


def test_moment_in_the_future_does_not_hold_a_ceiling_for_ever() -> None:
    memory = remembering(Ceiling("openai", 10, 2, NOON + timedelta(days=1)))
    assert decide(limited(), look(0.0), memory).replicas == 12


@st.composite
def limited_worlds(draw: st.DrawFn) -> tuple[PolicySpec, Snapshot, Memory]:
    spec = draw(worlds.policies())
    spec = spec.model_copy(update={"limits": policy(limits=worlds.LIMITS).limits})
    shown = draw(worlds.snapshots())
    return spec, shown, draw(worlds.memories(shown.now))


@given(limited_worlds())
def test_growth_never_goes_beyond_a_ceiling(
    world: tuple[PolicySpec, Snapshot, Memory],
) -> None:
    spec, shown, memory = world
    decision = decide(spec, shown, memory)
    lows = (bounds.bounds_at(spec, shown.now).low, spec.fallback.replicas or 0)
    lowest = min((c.replicas for c in decision.memory.limits.ceilings), default=100_000)
    assert decision.replicas <= max(shown.replicas.current, lowest, *lows)


@given(limited_worlds())
def test_unknown_ratios_remove_nothing_that_known_ones_would_keep(
    world: tuple[PolicySpec, Snapshot, Memory],
) -> None:
    spec, shown, memory = world
    blind = replace(shown, providers={"openai": UNKNOWN, "own": UNKNOWN})
    free = spec.model_copy(update={"limits": policy().limits})
    counts = [decide(each, blind, memory).replicas for each in (spec, free)]
    assert counts[0] >= min(shown.replicas.current, counts[1])
    assert decide(spec, blind, memory).memory.limits.ceilings == tuple(
        sorted(memory.limits.ceilings, key=lambda ceiling: ceiling.provider)
    )


@pytest.mark.parametrize(("before", "grown"), [(None, 0), (10, 3), (9, 1), (12, 3)])
def test_last_growth_is_remembered_until_the_next(before: int | None, grown: int) -> None:
    last = 0 if before is None else 3
    known = replace(OLD.limits, replicas=before, grown=last)
    told = decide(limited(), look(0.0), replace(OLD, limits=known)).memory.limits
    assert (told.replicas, told.grown) == (10, grown)


@pytest.mark.parametrize(
    ("least", "busy", "left"),
    [(9, 4.0, 9), (0, 35.0, 9), (0, 4.0, 8)],
    ids=["minimum", "busy", "neither"],
)
def test_ceiling_is_not_cut_below_what_stays_in_any_case(
    least: int, busy: float, left: int
) -> None:
    memory = remembering(Ceiling("openai", 10, 1, NOON - MINUTE))
    cut = decide(limited(minReplicas=least), look(0.2, busy=busy), memory)
    assert ceiling_of(cut) == Ceiling("openai", left, 1, NOON)


def test_ceiling_falls_to_one() -> None:
    memory = remembering(Ceiling("openai", 2, 1, NOON - MINUTE))
    cut = decide(limited(minReplicas=0), look(0.2, replicas=2, busy=0), memory)
    assert ceiling_of(cut) == Ceiling("openai", 1, 1, NOON)


def test_growth_before_a_restart_is_not_known_and_halves_no_step() -> None:
    cold = Memory(last_up=NOON - 30 * SECOND, slots_per_replica=4.0)
    frozen = ceiling_of(decide(limited(), look(0.3, replicas=60), cold))
    assert frozen == Ceiling("openai", 60, 3, NOON)


def test_refused_share_is_told_to_a_tenth_of_a_percent() -> None:
    assert "refuses 12.3% of the calls" in decide(limited(), look(0.12345), OLD).message


def test_share_of_just_the_limit_is_not_too_many() -> None:
    memory = remembering(Ceiling("openai", 10, 1, NOON - SECOND))
    assert "took the calls of 10 replicas" in decide(limited(), look(0.05), memory).message
