"""Weighted response time and the adaptive score: speed, errors, and backends not yet known."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given

from agentscaler.gateway.routing.adaptive import Adaptive
from agentscaler.gateway.routing.estimates import Fleet
from agentscaler.gateway.routing.picking import Rule
from agentscaler.gateway.routing.weighted_response_time import WeightedResponseTime
from tests.unit.gateway.fleets import ANY, Seen, drawn_at, fleets, seen_of

FAST = Seen("fast", responses=100, mean_seconds=1.0)
SLOW = Seen("slow", responses=100, mean_seconds=3.0)
NEW = Seen("new")


def shares(rule: Rule, members: list[Seen], draws: int = 10_000) -> dict[str, float]:
    picked = Counter(
        rule.pick(drawn_at(number / draws), members, members).name for number in range(draws)
    )
    return {each.name: picked[each.name] / draws for each in members}


def test_share_is_inverse_to_the_mean_response_time() -> None:
    fast, slow = (replace(each, responses=10**6) for each in (FAST, SLOW))
    share = shares(WeightedResponseTime(), [fast, slow])
    assert share["fast"] / share["slow"] == pytest.approx(3.0, rel=0.01)


def test_new_backend_gets_an_average_share() -> None:
    """Weighted 1.0 against 0.001 it would take every request, or none."""
    share = shares(WeightedResponseTime(), [FAST, SLOW, NEW])
    assert share["slow"] < share["new"] < share["fast"]


def test_backends_share_evenly_while_nothing_is_known() -> None:
    share = shares(WeightedResponseTime(), seen_of(4))
    assert all(part == pytest.approx(0.25, abs=0.001) for part in share.values())


def test_instant_backend_gets_no_share_without_bound() -> None:
    instant = replace(FAST, mean_seconds=0.0, responses=10**9)
    share = shares(WeightedResponseTime(), [instant, replace(FAST, mean_seconds=0.002)])
    assert share["fast"] > 0.2


def test_draw_at_the_very_end_still_finds_a_backend() -> None:
    last = drawn_at(1 - 2**-53)
    assert WeightedResponseTime().pick(last, [FAST, SLOW], [FAST, SLOW]) is SLOW


def test_score_is_the_documented_sum() -> None:
    backend = Seen("x", weight=2.0, active=3, responses=10, mean_seconds=1.5, error_ratio=0.1)
    score = Adaptive().score(backend, Fleet.of([backend]))
    assert score == pytest.approx(100 * 2 - 10 * 3 - 1500 / 100 - 1000 * 0.1)


def test_long_responses_do_not_outweigh_the_load() -> None:
    """At 15 s and more, the plain sum sends ten requests in a row to whoever had short ones."""
    lucky = Seen("lucky", active=3, responses=100, mean_seconds=15.0)
    unlucky = Seen("unlucky", active=1, responses=100, mean_seconds=19.0)
    assert Adaptive().pick(ANY, [lucky, unlucky], [lucky, unlucky]) is unlucky
    slow = replace(unlucky, mean_seconds=60.0)
    assert Adaptive().pick(ANY, [lucky, slow], [lucky, slow]) is lucky


def test_busiest_of_many_busy_backends_gets_nothing() -> None:
    """Clamped at 0 all three would tie, and the first would get everything."""
    busy = [replace(each, active=200 - number) for number, each in enumerate(seen_of(3))]
    assert all(Adaptive().score(each, Fleet.of(busy)) < 0 for each in busy)
    assert Adaptive().pick(ANY, busy, busy) is busy[2]


def test_failing_backend_is_avoided_and_a_single_failure_is_not_held_against_a_new_one() -> None:
    sick = Seen("sick", responses=100, mean_seconds=0.01, error_ratio=1.0)
    assert Adaptive().pick(ANY, [sick, replace(FAST, active=10)], [sick, FAST]).name == "fast"
    unlucky = Seen("unlucky", responses=1, mean_seconds=1.0, error_ratio=1.0)
    fleet = Fleet.of([FAST, unlucky])
    assert fleet.errors_of(unlucky) < 0.11


def test_new_backend_is_scored_as_an_average_one() -> None:
    fleet = Fleet.of([FAST, SLOW, NEW])
    assert fleet.seconds_of(NEW) == pytest.approx(2.0)
    scores = [Adaptive().score(each, fleet) for each in (SLOW, NEW, FAST)]
    assert scores == sorted(scores)


@given(members=fleets)
def test_estimates_lie_between_the_backend_and_its_fleet(members: list[Seen]) -> None:
    fleet = Fleet.of(members)
    for each in members:
        own = fleet.mean_seconds if each.mean_seconds is None else each.mean_seconds
        low, high = sorted((own, fleet.mean_seconds))
        assert low - 1e-6 <= fleet.seconds_of(each) <= high + 1e-6
        assert 0 <= fleet.errors_of(each) <= 1 + 1e-9
