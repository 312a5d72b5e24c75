"""The reserve: room above the load, learned from how long requests wait."""

from dataclasses import replace
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.decide import reserve
from agentscaler.decide.decision import Advice, Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Why
from tests.unit.decide.worlds import MINUTE, NOON, OLD, UNKNOWN, outlook, policy, seen, threshold

POLLED = replace(OLD, advices=(Advice(NOON - MINUTE / 4, 4),), reserve=1.0)
HOURS = 15 / 3600
PER_HOUR = 0.15
ALLOWED = 0.008  # four fifths of the one percent that may be late


def learned(memory: Memory = POLLED, **signals: Any) -> float | None:
    return decide(policy(), seen(active_requests=8.0, **signals), memory).memory.reserve


def test_reserve_is_kept_above_the_load() -> None:
    step = decide(policy(), seen(active_requests=64.0, wait=1.0), POLLED).steps[0]
    assert step.after == (64 + sqrt(64)) / 4


def test_forecast_load_gets_the_reserve_too() -> None:
    told = seen(active_requests=4.0, wait=1.0, outlook=outlook(100.0))
    assert decide(policy(), told, POLLED).steps[1].after == 28  # 110 slots


def test_negative_reserve_never_halves_the_load() -> None:
    assert reserve.slots_for(0.25, reserve.LEAST) == 0.125


def test_first_reserve_is_none_where_waits_are_known_and_theory_where_not() -> None:
    known = decide(policy(), seen(active_requests=16.0, wait=0.0), OLD)
    unknown = decide(policy(), seen(active_requests=16.0), OLD)
    assert (known.steps[0].after, known.memory.reserve) == (4, 0.0)
    assert (unknown.steps[0].after, unknown.memory.reserve) == (7, None)


def test_reserve_falls_slowly_while_nobody_waits() -> None:
    assert learned(wait=0.0) == pytest.approx(1 - PER_HOUR * HOURS)


def test_reserve_rises_as_fast_as_too_many_wait() -> None:
    # A 95th percentile at the target of 5 s: 5 % are late, an exponential tail taken.
    assert learned(wait=5.0) == pytest.approx(1 + PER_HOUR * HOURS * (0.05 / ALLOWED - 1))
    # At twice the target, the square root of that.
    assert learned(wait=10.0) == pytest.approx(1 + PER_HOUR * HOURS * (sqrt(0.05) / ALLOWED - 1))


def test_long_queue_counts_before_its_requests_have_waited() -> None:
    # 16 slots at 2 s a request begin 40 requests in 5 s: of 80, half will be late.
    told = learned(wait=0.0, queue_depth=80.0, completion_rate=4.0)
    assert told == pytest.approx(1 + PER_HOUR * HOURS * (0.5 / ALLOWED - 1))


def test_reserve_does_not_rise_while_a_limit_withholds_replicas() -> None:
    capped = replace(POLLED, advices=(Advice(NOON - MINUTE / 4, 9),))
    assert learned(capped, wait=10.0) == 1.0
    assert learned(capped, wait=0.0) == pytest.approx(1 - PER_HOUR * HOURS)


def test_silence_teaches_no_more_than_a_minute() -> None:
    silent = replace(POLLED, advices=(Advice(NOON - 100 * MINUTE, 4),))
    assert learned(silent, wait=0.0) == pytest.approx(1 - PER_HOUR / 60)


@pytest.mark.parametrize("wait", [UNKNOWN, Missing(Why.NOT_A_NUMBER)], ids=["down", "no request"])
def test_reserve_stays_while_waits_are_unknown(wait: Missing) -> None:
    assert learned(wait=wait) == 1.0


def test_thresholds_learn_no_reserve() -> None:
    told = decide(threshold(), seen(active_requests=8.0, wait=9.0), replace(POLLED, reserve=None))
    assert told.memory.reserve is None
    assert decide(threshold(), seen(wait=9.0), POLLED).memory.reserve == 1.0


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(reserve.LEAST, reserve.MOST))
def test_more_load_never_needs_fewer_slots(one: float, other: float, kept: float) -> None:
    less, more = sorted((one, other))
    assert reserve.slots_for(less, kept) <= reserve.slots_for(more, kept)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(reserve.LEAST, reserve.MOST))
def test_reserve_stays_within_its_bounds_and_rises_with_the_wait(
    one: float, other: float, kept: float
) -> None:
    shorter, longer = sorted((one, other))
    memory = replace(POLLED, reserve=kept)
    low, high = learned(memory, wait=shorter), learned(memory, wait=longer)
    assert low is not None
    assert high is not None
    assert reserve.LEAST <= low <= high <= reserve.MOST


@pytest.mark.parametrize(
    ("kept", "wait", "left"), [(-2.0, 0.0, -2.0), (4.0, 60.0, 4.0)], ids=["least", "most"]
)
def test_reserve_ends_at_half_the_load_and_at_four_roots(
    kept: float, wait: float, left: float
) -> None:
    assert learned(replace(POLLED, reserve=kept), wait=wait) == left


def test_reserve_rises_by_half_a_root_at_once_however_many_are_late() -> None:
    strict = policy(demand={"wait": {"attainment": "99.99%"}})
    late = seen(active_requests=8.0, wait=3600.0)
    assert decide(strict, late, POLLED).memory.reserve == 1.5


def test_waits_below_a_second_count_where_the_target_is_as_short() -> None:
    hasty = policy(demand={"wait": {"target": "500ms"}})
    told = decide(hasty, seen(active_requests=8.0, wait=0.5), POLLED).memory.reserve
    assert told == pytest.approx(1 + PER_HOUR * HOURS * (0.05 / ALLOWED - 1))


def test_one_request_that_will_wait_too_long_counts() -> None:
    # A slot whose request takes 80 s begins a sixteenth of a request in 5 s.
    told = seen(active_requests=1.0, completion_rate=1 / 80, queue_depth=1.0, wait=0.0, replicas=1)
    memory = replace(POLLED, advices=(Advice(NOON - MINUTE / 4, 1),))
    narrow = policy(signals={"capacity": {"perReplica": 1}})
    learned_of_one = decide(narrow, told, memory).memory.reserve
    assert learned_of_one == pytest.approx(1 + PER_HOUR * HOURS * (15 / 16 / ALLOWED - 1))


def test_no_queue_is_never_late() -> None:
    told = learned(wait=0.0, queue_depth=0.0, completion_rate=4.0)
    assert told == pytest.approx(1 - PER_HOUR * HOURS)
