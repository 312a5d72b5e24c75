"""The budget: what is spent, what will be, and how growth slows and ends."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.limits import Budget
from agentscaler.decide import budget
from agentscaler.decide.decision import Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.limits import Spend
from agentscaler.decide.snapshot import Snapshot
from tests.unit.decide.worlds import MINUTE, NOON, OLD, SECOND, UNKNOWN, policy, seen

HOUR = timedelta(hours=1)
MIDNIGHT = NOON - 12 * HOUR
FAST = {"scaleUp": {"maxStep": 100}, "scaleDown": {"maxStep": 100, "cooldown": "0s"}}
PLAN = {"replicaHourCost": "0.50", "window": "24h", "soft": "80", "hard": "120"}


def busy() -> Snapshot:
    """Give 20 replicas with work for more."""
    return seen(replicas=20, queue_depth=60.0, active_requests=40.0)


def spent(hours: float, *, replicas: int = 20, last_up: datetime | None = None) -> Memory:
    """Give a memory in which the replicas have run for so many hours today."""
    known = replace(OLD.limits, spend=Spend(MIDNIGHT, hours, NOON), replicas=replicas)
    return replace(OLD, limits=known, last_up=last_up)


def budgeted() -> Budget:
    found = policy(limits={"budget": PLAN}).limits.budget
    assert found is not None
    return found


def after(hours: float, last_up: datetime | None = None) -> tuple[int, str]:
    """Give what becomes of 20 replicas with work for more."""
    spec = policy(demand=FAST, limits={"budget": PLAN})
    decision = decide(spec, busy(), spent(hours, last_up=last_up))
    return decision.replicas, decision.reason


def test_growth_is_free_below_the_soft_limit() -> None:
    replicas, reason = after(159.9)
    assert replicas > 22
    assert reason == "Demand"


def test_growth_beyond_the_soft_limit_is_a_tenth_each_five_minutes() -> None:
    assert after(160) == (22, "BudgetStrained")
    assert after(160, last_up=NOON - 299 * SECOND) == (20, "BudgetStrained")
    assert after(160, last_up=NOON - 300 * SECOND) == (22, "BudgetStrained")


def test_growth_by_less_than_a_tenth_is_not_slowed() -> None:
    spec = policy(demand=FAST, limits={"budget": PLAN})
    shown = seen(replicas=20, active_requests=84.0, wait=0.0)  # 21 replicas of 4 slots
    decision = decide(spec, shown, spent(160))
    assert (decision.replicas, decision.reason) == (21, "Demand")


def test_growth_by_just_a_tenth_is_not_slowed() -> None:
    spec = policy(demand=FAST, limits={"budget": PLAN})
    decision = decide(spec, seen(replicas=20, active_requests=88.0, wait=0.0), spent(160))
    assert (decision.replicas, decision.reason) == (22, "Demand")
    assert "budget" not in [step.name for step in decision.steps]


@pytest.mark.parametrize(("replicas", "most"), [(5, 6), (25, 27)])
def test_slow_growth_is_whole_replicas_and_at_least_one(replicas: int, most: int) -> None:
    spec = policy(demand=FAST, limits={"budget": PLAN})
    shown = seen(replicas=replicas, queue_depth=300.0, active_requests=4.0 * replicas)
    assert decide(spec, shown, spent(160, replicas=replicas)).replicas == most


def test_slow_growth_says_when_it_goes_on_or_what_it_would_be_without() -> None:
    spec = policy(demand=FAST, limits={"budget": PLAN})
    free = decide(spec, busy(), spent(160))
    assert "80.00 is spent, and the soft limit is 80" in free.message
    assert free.hint.endswith("without limits.budget.soft")
    rested = decide(spec, busy(), spent(160, last_up=NOON - 5 * MINUTE))
    assert rested.hint == free.hint
    resting = decide(spec, busy(), spent(160, last_up=NOON))
    assert resting.replicas == 20
    assert resting.hint == "grows slowly: again from 12:05:00 on"


def test_exhausted_budget_is_not_spoken_of_while_nothing_is_wanted() -> None:
    spec = policy(demand=FAST, limits={"budget": PLAN})
    calm = decide(spec, seen(replicas=20, active_requests=80.0, wait=0.0), spent(240))
    assert calm.replicas == 20
    assert "budget" not in [step.name for step in calm.steps]


def test_growth_ends_at_the_hard_limit() -> None:
    assert after(240) == (20, "BudgetExhausted")


def test_hard_limit_removes_nothing_and_the_minimum_holds() -> None:
    spec = policy(demand=FAST, limits={"budget": PLAN}, minReplicas=25)
    decision = decide(spec, busy(), spent(900))
    assert (decision.replicas, decision.reason) == (25, "AtMinimum")
    calm = decide(spec, seen(replicas=30, active_requests=1.0), spent(900, replicas=30))
    assert calm.replicas == 25


def test_hard_limit_holds_for_the_fallback_too() -> None:
    fallback = {"behavior": "AtLeast", "replicas": 30, "afterFailures": 1}
    spec = policy(limits={"budget": PLAN}, fallback=fallback)
    blind = seen(replicas=20, queue_depth=UNKNOWN, active_requests=UNKNOWN)
    assert decide(spec, blind, spent(240)).replicas == 20
    assert decide(spec, blind, spent(10)).replicas == 30


def test_spend_counts_the_larger_of_both_counts_until_now() -> None:
    shown = seen(NOON + HOUR, replicas=4)
    found = budget.spend(budgeted(), shown, spent(10, replicas=6))
    assert found == Spend(MIDNIGHT, 16.0, NOON + HOUR)
    assert budget.cost(budgeted(), found) == 8.0


def test_projection_is_the_count_until_the_end_of_the_window() -> None:
    # 10 replica-hours at 0.50, and 4 replicas for the 12 hours that are left.
    assert budget.projected(budgeted(), Spend(MIDNIGHT, 10.0, NOON), 4) == 29.0


def test_new_window_begins_with_nothing_spent() -> None:
    tomorrow = MIDNIGHT + 24 * HOUR
    found = budget.spend(budgeted(), seen(tomorrow + HOUR, replicas=3), spent(200, replicas=3))
    assert found == Spend(tomorrow, 3.0, tomorrow + HOUR)


def test_fleet_at_zero_spends_nothing_also_where_its_last_count_is_unknown() -> None:
    known = spent(10)
    memory = replace(known, limits=replace(known.limits, replicas=None))
    found = budget.spend(budgeted(), seen(NOON + HOUR, replicas=0), memory)
    assert found.replica_hours == 10.0


def test_first_look_has_spent_nothing() -> None:
    assert budget.spend(budgeted(), seen(), OLD) == Spend(MIDNIGHT, 0.0, NOON)


def test_clock_that_was_set_back_adds_nothing() -> None:
    shown = seen(NOON - MINUTE, replicas=4)
    assert budget.spend(budgeted(), shown, spent(10)) == Spend(MIDNIGHT, 10.0, NOON - MINUTE)


@pytest.mark.parametrize("window", ["1h", "24h", "7d"])
@given(offset=st.integers(0, 10**8))
def test_every_moment_is_in_its_window(window: str, offset: int) -> None:
    plan = budgeted().model_copy(
        update={"window": {"1h": HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR}[window]}
    )
    now = NOON + offset * SECOND
    start = budget.start_of_window(plan, now)
    assert start <= now < budget.end_of_window(plan, now)
    assert budget.start_of_window(plan, start) == start


@given(
    st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 50)), max_size=30),
    st.integers(0, 20),
)
def test_spend_is_never_less_than_what_ran(looks: list[tuple[int, int]], first: int) -> None:
    """However the looks are spaced: between two of them at least the smaller count ran."""
    plan = budgeted().model_copy(update={"window": timedelta(days=400)})
    now, count, least = NOON, first, 0.0
    memory = replace(
        OLD,
        limits=replace(
            OLD.limits,
            spend=Spend(budget.start_of_window(plan, NOON), 0.0, NOON),
            replicas=first,
        ),
    )
    for seconds, replicas in looks:
        now += seconds * SECOND
        found = budget.spend(plan, seen(now, replicas=replicas), memory)
        least += min(count, replicas) * seconds / 3600
        memory = replace(memory, limits=replace(memory.limits, spend=found, replicas=replicas))
        count = replicas
        if found.start > NOON:
            return
        assert found.replica_hours >= least - 1e-9
