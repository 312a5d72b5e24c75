"""Arrivals and works: the laws, the bookkeeping of buckets, and the same load for a seed."""

from itertools import islice, pairwise, takewhile
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.simulate.days import Daily, shape
from agentscaler.simulate.workload import (
    STEPS,
    Bucket,
    Lognormal,
    Request,
    Segment,
    chance,
    compress,
    poisson,
    spread,
    steady,
    step_seconds,
)

WORK = Lognormal(2.0, 0.6, most=30)
DAY = Daily(peak=10, work=WORK, seed=7, season=180)


def until(end: float, *, start: float = 0.0, daily: Daily = DAY) -> list[Request]:
    return list(takewhile(lambda request: request.at < end, daily.arrivals(start)))


def test_a_step_takes_as_long_as_its_tokens_say() -> None:
    assert step_seconds(2000, 100) == pytest.approx(5.0)
    assert step_seconds(None, 100) == step_seconds(2000, None) == 6.0


def test_steps_have_the_mean_and_the_limit_of_the_benchmark() -> None:
    rng = chance("steps")
    steps = [STEPS.draw(rng) for _ in range(50_000)]
    assert fmean(steps) == pytest.approx(2.5, rel=0.02)
    assert max(steps) <= 20


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers())
def test_spreading_keeps_every_arrival_in_its_bucket(counts: list[int], seed: int) -> None:
    buckets = [Bucket(10.0 * i, 10.0, count, WORK) for i, count in enumerate(counts)]
    requests = list(spread(buckets, chance(seed)))
    assert [sum(b.start <= r.at <= b.start + 10 for r in requests) >= b.arrivals for b in buckets]
    assert len(requests) == sum(counts)
    assert all(earlier.at <= later.at for earlier, later in pairwise(requests))


def test_compressing_keeps_the_rate_when_volume_is_the_inverse_of_speed() -> None:
    buckets = [Bucket(60.0 * i, 60.0, 600, WORK) for i in range(1440)]
    fast = list(compress(buckets, chance(1), speed=480, volume=1 / 480, work=0.5))
    assert fast[-1].start + fast[-1].width == pytest.approx(180)
    assert sum(bucket.arrivals for bucket in fast) == pytest.approx(10 * 180, rel=0.05)
    assert fast[0].work == Lognormal(1.0, 0.6, most=15)


def test_poisson_arrivals_follow_the_rates_of_their_segments() -> None:
    segments = [Segment(0, 100, 5.0), Segment(100, 200, 0.0), Segment(200, 300, 20.0)]
    moments = [request.at for request in poisson(segments, WORK, chance(3))]
    counts = [sum(s.start <= at < s.end for at in moments) for s in segments]
    assert counts == [pytest.approx(500, rel=0.15), 0, pytest.approx(2000, rel=0.08)]


def test_a_steady_stream_starts_when_told_and_keeps_its_rate() -> None:
    requests = list(islice(steady(4.0, WORK, chance(5), start=50), 4000))
    assert requests[0].at > 50
    assert requests[-1].at == pytest.approx(1050, rel=0.06)


def test_a_steady_stream_without_rate_is_empty() -> None:
    assert not list(steady(0.0, WORK, chance(5), start=50))


def test_days_are_the_same_for_a_seed_wherever_one_begins() -> None:
    whole = until(400)
    assert until(400, start=250) == [request for request in whole if request.at >= 250]


def test_days_differ_from_each_other_and_between_seeds() -> None:
    first = [request.at for request in until(180)]
    second = [request.at - 180 for request in until(360, start=180)]
    other = until(180, daily=Daily(peak=10, work=WORK, seed=8, season=180))
    assert first != second
    assert first != [request.at for request in other]


def test_there_are_days_before_the_first() -> None:
    early = until(0, start=-360)
    assert early[0].at == pytest.approx(-360, abs=10)
    assert len(early) > 500


def test_a_day_without_chance_has_its_usual_shape() -> None:
    calm = Daily(peak=50, work=WORK, seed=1, season=2400, noise=0, bursts=0)
    hours = [0] * 24
    for request in until(2400, daily=calm):
        hours[int(request.at / 100)] += 1
    for hour, arrivals in enumerate(hours):
        usual = fmean(shape(hour + part / 12) for part in range(12))
        assert arrivals == pytest.approx(5000 * usual, rel=0.05, abs=60)


@given(st.floats(0, 24))
def test_the_shape_stays_between_the_night_and_the_peak(hour: float) -> None:
    assert 0.06 <= shape(hour) <= 1.0


def test_hours_beyond_a_day_are_refused() -> None:
    with pytest.raises(ValueError, match="no hour"):
        shape(24.5)
