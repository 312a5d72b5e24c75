"""Least connections and capacity: who has the most room, by two measures."""

from dataclasses import replace

from hypothesis import given

from agentscaler.gateway.routing.capacity import Capacity
from agentscaler.gateway.routing.least_connections import LeastConnections
from agentscaler.gateway.routing.picking import Request
from tests.unit.gateway.fleets import ANY, Seen, drawn_at, fleets, requests, seen_of

FIRST, SECOND = seen_of(2)


@given(members=fleets, request_=requests)
def test_nobody_of_equal_weight_is_idler_than_the_one_taken(
    members: list[Seen], request_: Request
) -> None:
    alike = [replace(each, weight=2.0) for each in members]
    taken = LeastConnections().pick(request_, alike, alike)
    assert taken.active == min(each.active for each in alike)


def test_backend_of_twice_the_weight_carries_twice_as_many() -> None:
    big = replace(FIRST, weight=2.0, active=2)
    assert LeastConnections().pick(ANY, [big, replace(SECOND, active=1)], []) is big
    fuller = replace(big, active=4)
    assert LeastConnections().pick(ANY, [fuller, SECOND], []) is SECOND


@given(members=fleets, request_=requests)
def test_nobody_has_more_free_slots_than_the_one_taken(
    members: list[Seen], request_: Request
) -> None:
    taken = Capacity().pick(request_, members, members)
    assert taken.free == max(each.free for each in members)


def test_capacity_takes_the_idlest_where_none_is_limited() -> None:
    busy = replace(FIRST, active=3)
    assert Capacity().pick(ANY, [busy, SECOND], []) is SECOND


def test_draw_decides_among_equals() -> None:
    for rule in (Capacity(), LeastConnections()):
        assert rule.pick(drawn_at(0.1), [FIRST, SECOND], []) is FIRST
        assert rule.pick(drawn_at(0.9), [FIRST, SECOND], []) is SECOND
