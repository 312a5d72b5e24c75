"""Round robin: everyone in turn, also while backends come and go."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentscaler.gateway.routing.round_robin import RoundRobin
from tests.unit.gateway.fleets import ANY, seen_of


def names_in_turn(rule: RoundRobin, count: int, turns: int) -> list[str]:
    members = seen_of(count)
    return [rule.pick(ANY, members, members).name for _ in range(turns)]


def test_each_of_three_gets_every_third_request() -> None:
    turns = names_in_turn(RoundRobin(), 3, 9)
    assert turns == [each.name for each in seen_of(3)] * 3


@given(counts=st.lists(st.integers(2, 6), min_size=1, max_size=30))
def test_nobody_is_asked_twice_in_a_row_while_the_fleet_changes(counts: list[int]) -> None:
    rule = RoundRobin()
    turns = [names_in_turn(rule, count, 1)[0] for count in counts]
    assert all(one != two for one, two in pairwise(turns))


def test_backend_that_was_away_takes_its_turn_when_it_is_back() -> None:
    rule = RoundRobin()
    one, two, three = seen_of(3)
    assert rule.pick(ANY, [one, two, three], []) is one
    assert rule.pick(ANY, [one, three], []) is three
    assert rule.pick(ANY, [one, two, three], []) is one
    assert rule.pick(ANY, [one, two, three], []) is two
