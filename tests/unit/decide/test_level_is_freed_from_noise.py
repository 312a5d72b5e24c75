"""The level: what of the ups and downs of the requests in service is real."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.decide import smoothing
from agentscaler.decide.decision import Level, Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Reading
from agentscaler.simulate.workload import chance
from tests.unit.decide.worlds import (
    MINUTE,
    NOON,
    OLD,
    SECOND,
    UNKNOWN,
    levels,
    policy,
    seen,
    threshold,
)

POLL = 15 * SECOND


def followed(samples: Iterable[Reading], memory: Memory = OLD) -> Memory:
    """Let a policy see one sample after the other, a poll apart."""
    asp = policy()
    for number, sample in enumerate(samples):
        at = NOON + number * POLL
        memory = decide(asp, seen(at, active_requests=sample, wait=0.0), memory).memory
    return memory


def level_after(samples: Iterable[Reading]) -> Level:
    level = followed(samples).level
    assert level is not None
    return level


def drifting(steps: int, *, drift: float, noise: float) -> list[float]:
    """Make a level that drifts at random about 100, seen through noise."""
    rng, level, samples = chance("level"), 100.0, []
    for _ in range(steps):
        level += rng.gauss(0.0, drift)
        samples.append(max(0.0, level + rng.gauss(0.0, noise)))
    return samples


def test_noise_is_known_of_samples_that_are_polled_twice() -> None:
    level = level_after([80.0, 80.0, 120.0, 120.0] * 40)
    assert smoothing.gain(level) == pytest.approx(0.1)


def test_load_that_rests_between_its_changes_is_followed() -> None:
    # A job of ten minutes each half hour comes back, but not as noise does.
    level = level_after(([40.0] * 40 + [0.0] * 80) * 6)
    assert smoothing.gain(level) > 0.9


def test_first_samples_are_the_level() -> None:
    for count in (1, 2, 8):
        samples = [40.0, 80.0] * 4
        assert level_after(samples[:count]).value == samples[count - 1]


def test_load_that_comes_back_is_noise() -> None:
    level = level_after([80.0, 120.0] * 60)
    assert smoothing.gain(level) == pytest.approx(0.1)
    assert level.value == pytest.approx(100.0, abs=5)


def test_load_that_goes_on_is_followed_at_once() -> None:
    level = level_after(range(20, 120))
    assert smoothing.gain(level) == 1.0
    assert level.value == 119.0


@pytest.mark.parametrize(("drift", "noise"), [(4.0, 4.0), (2.0, 8.0), (1.0, 10.0)])
def test_gain_is_that_of_the_steady_kalman_filter(drift: float, noise: float) -> None:
    ratio = (drift / noise) ** 2
    best = (sqrt(ratio * ratio + 4 * ratio) - ratio) / 2
    gain = smoothing.gain(level_after(drifting(2000, drift=drift, noise=noise)))
    assert gain == pytest.approx(best, abs=0.1)


def test_noise_costs_less_than_its_peaks() -> None:
    noisy = followed([80.0, 120.0] * 60)
    told = decide(policy(), seen(NOON + 33 * MINUTE, active_requests=130.0, wait=0.0), noisy)
    assert told.steps[0].after == 33  # minutes later the level may be anywhere
    soon = decide(policy(), seen(NOON + 120 * POLL, active_requests=130.0, wait=0.0), noisy)
    assert soon.steps[0].after < 28
    assert "130 busy (level 10" in soon.message


def test_queue_is_no_noise() -> None:
    noisy = followed([80.0, 120.0] * 60)
    at = NOON + 120 * POLL
    calm = decide(policy(), seen(at, active_requests=100.0, wait=0.0), noisy).steps[0]
    burst = decide(policy(), seen(at, active_requests=100.0, queue_depth=40.0, wait=0.0), noisy)
    assert burst.steps[0].after - calm.after == 10


def test_missing_sample_teaches_nothing() -> None:
    before = followed([80.0, 120.0] * 10)
    told = decide(policy(), seen(NOON + 20 * POLL, active_requests=UNKNOWN), before)
    assert told.memory.level == before.level


def test_gap_keeps_what_was_learned_of_the_noise() -> None:
    before = level_after([80.0, 120.0] * 60)
    later = replace(OLD, level=before)
    told = decide(policy(), seen(NOON + 60 * MINUTE, active_requests=10.0), later).memory.level
    assert told is not None
    assert (told.value, told.sample, told.change) == (10.0, 10.0, 0.0)
    assert smoothing.gain(told) == smoothing.gain(before)


def test_thresholds_know_no_level() -> None:
    assert decide(threshold(), seen(active_requests=8.0), OLD).memory.level is None


@given(levels(NOON))
def test_gain_is_a_share(level: Level) -> None:
    assert 0.1 <= smoothing.gain(level) <= 1


@given(st.none() | levels(NOON), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_in_service_never_lowers_the_level(
    level: Level | None, one: float, other: float
) -> None:
    memory = replace(OLD, level=level)
    less, more = (
        smoothing.present(seen(active_requests=load), memory) for load in sorted((one, other))
    )
    assert less <= more


def known(**more: Any) -> Memory:
    """Give a memory of a level of 100 that was last seen a poll ago."""
    usual: dict[str, Any] = {"at": NOON - POLL, "value": 100.0, "sample": 100.0}
    return replace(OLD, level=Level(**{**usual, **more}))


def learned(memory: Memory, active: Reading, at: datetime = NOON) -> Level:
    level = decide(policy(), seen(at, active_requests=active), memory).memory.level
    assert level is not None
    return level


def test_first_sample_tells_nothing_of_noise() -> None:
    assert level_after([40.0]) == Level(
        at=NOON, value=40.0, sample=40.0, change=0.0, spread=0.0, echo=0.0, changes=0
    )


def test_changes_are_counted_in_roots_of_the_load() -> None:
    assert learned(known(), 110.0).change == pytest.approx(10 / sqrt(110))
    assert learned(known(value=0.2, sample=0.2), 0.7).change == pytest.approx(0.5)


def test_first_changes_count_alike() -> None:
    one, two = 50 / sqrt(150), -30 / sqrt(150)
    first = learned(known(), 150.0)
    assert first.spread == pytest.approx(one**2)
    assert first.echo == 0.0
    second = learned(replace(OLD, level=first), 120.0, NOON + POLL)
    assert second.spread == pytest.approx((one**2 + two**2) / 2)
    assert second.echo == pytest.approx(one * two / 2)


@pytest.mark.parametrize(
    ("silence", "value"),
    [(2 * MINUTE, 110.0), (2 * MINUTE + SECOND, 200.0)],
    ids=["two minutes", "more"],
)
def test_level_begins_anew_where_it_may_be_anywhere(silence: timedelta, value: float) -> None:
    noisy = known(at=NOON - silence, spread=2.0, echo=-1.0, changes=99)
    level = learned(noisy, 200.0)
    assert level.value == pytest.approx(value)
    assert level.changes == (100 if silence == 2 * MINUTE else 99)


@pytest.mark.parametrize(("changes", "gain"), [(7, 1.0), (8, 0.1)], ids=["too few", "enough"])
def test_noise_is_believed_in_after_eight_changes(changes: int, gain: float) -> None:
    level = known(spread=2.0, echo=-1.0, changes=changes).level
    assert level is not None
    assert smoothing.gain(level) == gain


@pytest.mark.parametrize("ratio", [0.02, 0.5, 4.0])
def test_gain_solves_the_equation_of_the_steady_filter(ratio: float) -> None:
    level = known(spread=2.0 + ratio, echo=-1.0, changes=50).level
    assert level is not None
    gain = smoothing.gain(level)
    assert gain**2 == pytest.approx(ratio * (1 - gain))


def test_level_of_an_unknown_load_is_nothing() -> None:
    assert smoothing.present(seen(active_requests=UNKNOWN), known()) == 0.0


def test_later_changes_count_as_much_as_two_hours_of_polls_let_them() -> None:
    level = learned(known(spread=4.0, changes=5000), 110.0)
    assert level.spread == pytest.approx(4 + (100 / 110 - 4) / 480, rel=1e-9)
