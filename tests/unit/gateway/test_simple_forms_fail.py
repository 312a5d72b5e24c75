"""The traps: what holds of our rules does not hold of the form that is written first."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from agentscaler.gateway.routing.adaptive import Adaptive
from agentscaler.gateway.routing.affinity import Affinity
from agentscaler.gateway.routing.capacity import Capacity
from agentscaler.gateway.routing.hashing import ConsistentHash
from agentscaler.gateway.routing.keys import text_key
from agentscaler.gateway.routing.sharding import Sharded
from agentscaler.gateway.routing.weighted_response_time import WeightedResponseTime
from agentscaler.gateway.windows import ResponseWindow
from tests.unit.gateway import naive
from tests.unit.gateway.fleets import Seen, drawn_at, seen_of
from tests.unit.gateway.naive import Picks
from tests.unit.gateway.pools import Fleet

SESSIONS = [text_key(f"session-{number}") for number in range(1000)]
TEN = seen_of(10)
DRAWS = [(number + 0.5) / 100 for number in range(100)]


def homes(rule: Picks, members: list[Seen]) -> dict[bytes, str]:
    return {key: rule.pick(drawn_at(0.5, key), members, members).name for key in SESSIONS}


def moved_when_one_leaves(rule: Picks) -> float:
    before, after = homes(rule, TEN), homes(rule, TEN[:-1])
    return sum(before[key] != after[key] for key in SESSIONS) / len(SESSIONS)


def test_modulo_moves_nearly_every_key_when_one_fills_up() -> None:
    assert moved_when_one_leaves(naive.Modulo()) > 0.8
    for rule in (ConsistentHash(load_factor=1000), Affinity(Capacity()), Sharded(4096)):
        assert moved_when_one_leaves(rule) < 0.15


def test_table_of_sessions_differs_in_the_next_gateway_and_grows() -> None:
    def agree(made: Callable[[], Picks]) -> bool:
        first, second = made(), made()
        second.pick(drawn_at(0.5, b"another session came first"), TEN, TEN)
        return homes(first, TEN) == homes(second, TEN)

    table = naive.Table()
    homes(table, TEN)
    assert len(table.noted) == len(SESSIONS)
    assert not agree(naive.Table)
    assert agree(lambda: Affinity(Capacity()))
    assert vars(Affinity(Capacity())).keys() == {"_otherwise"}, "nothing that could grow"


def test_shards_given_out_once_all_fall_on_the_first() -> None:
    def heirs(rule: Picks) -> int:
        before, after = homes(rule, TEN), homes(rule, TEN[:-1])
        return len({after[key] for key in SESSIONS if before[key] == TEN[-1].name})

    assert heirs(naive.FixedShards(TEN, 1024)) == 1
    assert heirs(Sharded(1024)) >= 7


def test_shards_given_out_once_leave_newcomers_idle() -> None:
    def newcomers_keys(rule: Picks) -> int:
        return Counter(homes(rule, TEN).values())[TEN[-1].name]

    assert newcomers_keys(naive.FixedShards(TEN[:-1], 1024)) == 0
    assert newcomers_keys(Sharded(1024)) > 50


def test_clamped_score_gives_the_first_of_many_busy_everything() -> None:
    busy = [replace(each, active=40 - number) for number, each in enumerate(TEN)]

    def taken(rule: Picks) -> set[str]:
        return {rule.pick(drawn_at(draw), busy, busy).name for draw in DRAWS}

    assert taken(naive.ClampedScore()) == {busy[0].name}, "the busiest"
    assert taken(Adaptive()) == {busy[-1].name}, "the idlest"


@pytest.mark.parametrize("new", [0, 9], ids=["first", "last"])
def test_instant_newcomer_gets_the_whole_burst(new: int) -> None:
    known = [replace(each, responses=100, mean_seconds=2.0) for each in TEN]
    known[new] = TEN[new]

    def share(rule: Picks) -> float:
        return sum(rule.pick(drawn_at(draw), known, known) is known[new] for draw in DRAWS) / 100

    assert share(naive.InverseMean()) > 0.9
    assert share(WeightedResponseTime()) == pytest.approx(0.1, abs=0.02)


def test_mean_of_all_time_does_not_see_that_a_backend_became_slow() -> None:
    seconds = [0.1] * 10_000 + [5.0] * 100
    window = ResponseWindow()
    for number, each in enumerate(seconds):
        window.add(number / 1000, each, failed=False)
    assert sum(seconds) / len(seconds) < 0.2
    assert window.mean_seconds == pytest.approx(5.0)


def test_count_that_an_exception_skips_never_comes_back() -> None:
    fleet = Fleet(1, capacity=1)
    backend = fleet.backend(0)

    def work() -> None:
        raise ConnectionError

    def naive_work() -> None:
        backend.active += 1
        work()
        backend.active -= 1

    def our_work() -> None:
        with fleet.take():
            work()

    with pytest.raises(ConnectionError):
        our_work()
    assert backend.active == 0
    with pytest.raises(ConnectionError):
        naive_work()
    assert backend.active == 1


def test_instance_that_is_only_registered_is_never_removed() -> None:
    registered = {each.name for each in TEN}  # by calls: the dead do not call
    fleet = Fleet(10)
    fleet.see(9)
    assert len(registered) == 10
    assert len(fleet.pool.backends) == 9
