"""Hashing, affinity and shards: who moves when instances come, go or fill up."""

from collections import Counter
from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.gateway.routing.affinity import Affinity
from agentscaler.gateway.routing.capacity import Capacity
from agentscaler.gateway.routing.hashing import ConsistentHash
from agentscaler.gateway.routing.keys import body_key, text_key
from agentscaler.gateway.routing.picking import Rule
from agentscaler.gateway.routing.rendezvous import first, ranked
from agentscaler.gateway.routing.sharding import Sharded, owner_of, shard_of
from tests.unit.gateway.fleets import Seen, drawn_at, keys, seen_of

SESSIONS = [text_key(f"session-{number}") for number in range(1000)]
STABLE: dict[str, Rule] = {
    "hash": ConsistentHash(load_factor=1000),
    "affinity": Affinity(Capacity()),
    "sharded": Sharded(4096),
}
each_stable = pytest.mark.parametrize("rule", STABLE.values(), ids=STABLE)


def homes(rule: Rule, members: list[Seen]) -> dict[bytes, str]:
    return {key: rule.pick(drawn_at(0.5, key), members, members).name for key in SESSIONS}


@each_stable
def test_only_the_keys_of_the_leaver_move(rule: Rule) -> None:
    """`hash % len(backends)` would move nine of ten."""
    members = seen_of(10)
    before, after = homes(rule, members), homes(rule, members[1:])
    moved = {key for key in SESSIONS if before[key] != after[key]}
    assert moved == {key for key, name in before.items() if name == members[0].name}
    assert 0.07 < len(moved) / len(SESSIONS) < 0.13
    heirs = Counter(after[key] for key in moved)
    assert len(heirs) == 9
    assert max(heirs.values()) < len(moved) / 3


@each_stable
def test_joiner_takes_its_fair_share_and_nothing_moves_between_the_rest(rule: Rule) -> None:
    members = seen_of(10)
    before, after = homes(rule, members[:9]), homes(rule, members)
    moved = {key for key in SESSIONS if before[key] != after[key]}
    assert {after[key] for key in moved} == {members[9].name}
    assert 0.07 < len(moved) / len(SESSIONS) < 0.13


@each_stable
def test_homes_are_the_same_in_every_gateway_whatever_order_it_sees(rule: Rule) -> None:
    members = seen_of(7)
    assert homes(rule, members) == homes(rule, members[::-1])


def test_backend_of_twice_the_weight_gets_twice_the_keys() -> None:
    big, *rest = seen_of(4)
    members = [replace(big, weight=2.0), *rest]
    share = Counter(first(key, members).name for key in SESSIONS)[big.name] / len(SESSIONS)
    assert share == pytest.approx(2 / 5, abs=0.04)


def test_ranking_begins_with_the_first() -> None:
    members = seen_of(5)
    order = ranked(b"key", members)
    assert order[0] is first(b"key", members)
    assert sorted(each.name for each in order) == [each.name for each in members]


@given(
    actives=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    factor=st.floats(1, 3),
    key=keys,
)
def test_no_backend_goes_beyond_its_bound(actives: list[int], factor: float, key: bytes) -> None:
    members = [
        replace(each, active=active)
        for each, active in zip(seen_of(len(actives)), actives, strict=True)
    ]
    picked = ConsistentHash(factor).pick(drawn_at(0.5, key), members, members)
    assert picked.active + 1 <= ceil(factor * (sum(actives) + 1) / len(actives))


def test_popular_key_spills_over_to_its_next_backends() -> None:
    members = seen_of(4)
    rule = ConsistentHash(load_factor=1.25)
    for _ in range(40):
        picked = rule.pick(drawn_at(0.5, b"popular"), members, members)
        members = [
            replace(each, active=each.active + (each.name == picked.name)) for each in members
        ]
    assert max(each.active for each in members) <= 13


def test_bound_below_the_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ConsistentHash(load_factor=0.9)


def test_session_of_a_full_instance_moves_by_capacity_and_comes_back() -> None:
    members = [replace(each, free=number) for number, each in enumerate(seen_of(5), start=1)]
    rule = Affinity(Capacity())
    session = drawn_at(0.5, SESSIONS[0])
    home = rule.pick(session, members, members)
    others = [each for each in members if each is not home]
    moved = rule.pick(session, others, members)
    assert moved.free == max(each.free for each in others)
    assert rule.pick(session, members, members) is home


def test_request_without_a_session_goes_by_capacity() -> None:
    one, two = seen_of(2)
    roomy, tight = replace(one, free=5), replace(two, free=1)
    assert Affinity(Capacity()).pick(drawn_at(0.9), [roomy, tight], [roomy, tight]) is roomy


def test_key_belongs_to_its_shard_for_ever() -> None:
    assert [shard_of(text_key(name), 16) for name in ("a", "b", "c")] == [14, 5, 10]


@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_shards_are_spread_evenly_over_instances(count: int) -> None:
    names = [each.name for each in seen_of(count)]
    owned = Counter(owner_of(shard, names, 1024) for shard in range(1024))
    assert len(owned) == count
    assert all(abs(each - 1024 / count) < 0.25 * 1024 / count for each in owned.values())


@given(
    names=st.sets(st.sampled_from([each.name for each in seen_of(12)]), min_size=2),
    num_shards=st.integers(1, 64),
)
def test_only_the_leavers_shards_move_whoever_leaves(names: set[str], num_shards: int) -> None:
    leaver = min(names)
    for shard in range(num_shards):
        before = owner_of(shard, names, num_shards)
        after = owner_of(shard, names - {leaver}, num_shards)
        assert before in (after, leaver)


def test_request_goes_to_the_owner_of_its_shard_and_past_it_while_it_is_full() -> None:
    members = seen_of(4)
    names = [each.name for each in members]
    rule = Sharded(64)
    request = drawn_at(0.5, SESSIONS[0])
    shard = shard_of(SESSIONS[0], 64)
    owner = owner_of(shard, names, 64)
    assert rule.pick(request, members, members).name == owner
    rest = [each for each in members if each.name != owner]
    assert rule.pick(request, rest, members).name == owner_of(
        shard, [name for name in names if name != owner], 64
    )


def test_no_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Sharded(0)


def test_body_is_hashed_by_its_meaning() -> None:
    assert body_key(b'{"a": 1, "b": [2, 3]}') == body_key(b'{"b":[2,3],"a":1}')
    assert body_key(b'{"a": 1}') != body_key(b'{"a": 2}')
    assert body_key(b"not json") != body_key(b"not json either")
    assert body_key(b"[" * 100_000) == body_key(b"[" * 100_000)
    assert body_key('{"a": "\u00e9"}'.encode()) == body_key(b'{"a":"\\u00e9"}')


@given(st.text())
def test_any_header_can_be_hashed(text: str) -> None:
    assert len(text_key(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))) == 32
