"""Users' queries go out together, and one that is refused takes no other with it."""

from typing import Any, cast
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler import promql
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.errors import (
    BadQueryError,
    SourceError,
    SourceTimeoutError,
    SourceUnavailableError,
)
from agentscaler.observe import asks, unions
from agentscaler.observe.asks import Custom, Plan
from agentscaler.observe.failures import HeavyQueryError, SlowQueryError
from agentscaler.observe.inquiry import Inquiry
from agentscaler.observe.prometheus import Caller, Prometheus
from agentscaler.observe.readings import Answers
from agentscaler.observe.transport import TooLargeError
from agentscaler.observe.unions import PROBATION, Suspects
from agentscaler.promql import Shape
from tests.unit.observe.worlds import NOON, TwinOfPrometheus, policy, series


def vector(query: str) -> Custom:
    return Custom(query, Shape.VECTOR)


def accused(*queries: str) -> Suspects:
    suspects = Suspects()
    for query in queries:
        suspects.accuse(query)
    return suspects


def test_queries_go_out_by_twenty_five() -> None:
    sizes = [len(each) for each in unions.batches(map(vector, map(str, range(60))), Suspects())]
    assert sizes == [25, 25, 10]


def test_unknown_dialects_and_suspects_go_out_alone_and_last() -> None:
    asked = [Custom("odd"), vector("bad"), vector("a"), vector("b")]
    batches = unions.batches(asked, accused("bad"))
    assert batches == [(vector("a"), vector("b")), (Custom("odd"),), (vector("bad"),)]


@given(st.lists(st.integers(1, 2048), max_size=40), st.sampled_from(["sum(up)", '{"ü"}', " \n"]))
def test_no_union_is_too_long_for_an_ingress(lengths: list[int], text: str) -> None:
    queries = [(text * length)[:length] for length in lengths]
    batches = unions.batches(map(vector, queries), Suspects())
    assert [custom.query for batch in batches for custom in batch] == queries
    for batch in batches:
        length = len(quote_plus(unions.compose(batch)))
        assert length <= unions.MOST_BYTES or len(batch) == 1


def test_union_is_one_query_whatever_its_members_are() -> None:
    members = [vector("sum(up) # comment"), Custom("1 + 1", Shape.SCALAR), vector("a or b")]
    assert promql.shape_of(unions.compose(members)) is Shape.VECTOR


def test_single_query_is_asked_as_it_was_written() -> None:
    assert unions.compose([vector("sum(up)")]) == "sum(up)"
    assert unions.sort_out([1, "2"], [vector("sum(up)")]) == {"sum(up)": [1, "2"]}


def test_suspect_is_free_after_enough_good_answers_in_a_row() -> None:
    suspects = accused("q")
    for _ in range(PROBATION - 1):
        suspects.acquit("q")
    assert "q" in suspects
    suspects.accuse("q")
    for _ in range(PROBATION):
        assert "q" in suspects
        suspects.acquit("q")
    assert "q" not in suspects
    suspects.acquit("q")


def test_suspects_are_forgotten_oldest_first() -> None:
    suspects = accused(*map(str, range(10_001)))
    assert "0" not in suspects
    assert "1" in suspects


class Asking:
    """Passes over a twin, with the suspects that are kept from one to the next."""

    def __init__(self, values: dict[str, list[Any] | SourceError]) -> None:
        self.twin = TwinOfPrometheus(values)
        self.suspects = Suspects()

    async def put(self) -> Answers:
        self.twin.queries.clear()
        twin = cast("Prometheus", self.twin)
        plan = Plan((), tuple(vector(query) for query in self.twin.values))
        return await Inquiry(twin, Caller(until=0), NOON, self.suspects).put(plan)


REFUSED = BadQueryError("found duplicate series")


@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
async def test_exactly_the_refused_queries_are_missing(total: int, bad: set[int]) -> None:
    values: dict[str, list[Any] | SourceError] = {
        f"q{place}": REFUSED if place in bad else [series(place)] for place in range(total)
    }
    asking = Asking(values)
    for _ in range(2):
        answers = await asking.put()
        assert answers.custom == {
            f"q{place}": Missing(Why.REFUSED, str(REFUSED)) if place in bad else float(place)
            for place in range(total)
        }


async def test_culprit_is_found_by_halves_and_asked_apart_next_time() -> None:
    asking = Asking({**{f"q{n}": [series(n)] for n in range(24)}, "bad": REFUSED})
    await asking.put()
    assert len(asking.twin.queries) <= 1 + 2 * 5
    await asking.put()
    assert len(asking.twin.queries) == 2
    asking.twin.values = {**asking.twin.values, "bad": [series(3)]}
    for _ in range(PROBATION):
        assert (await asking.put()).custom["bad"] == 3.0
        assert len(asking.twin.queries) == 2
    await asking.put()
    assert len(asking.twin.queries) == 1


@pytest.mark.parametrize("error", [SlowQueryError, HeavyQueryError, TooLargeError])
async def test_union_that_is_too_much_is_asked_one_by_one(error: type[SourceError]) -> None:
    asking = Asking({**{f"q{n}": [series(n)] for n in range(9)}, "heavy": error("too much")})
    answers = await asking.put()
    missing = answers.custom.pop("heavy")
    assert isinstance(missing, Missing)
    assert answers.custom == {f"q{n}": float(n) for n in range(9)}
    assert all(f"q{n}" in asking.suspects for n in range(9))


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (SourceUnavailableError("gone"), Why.UNAVAILABLE),
        (SourceTimeoutError("late"), Why.TIMEOUT),
    ],
)
async def test_failed_server_accuses_nobody(error: SourceError, why: Why) -> None:
    asking = Asking({"a": error, "b": [series(1)]})
    assert (await asking.put()).custom == dict.fromkeys("ab", Missing(why, str(error)))
    assert "a" not in asking.suspects
    assert len(asking.twin.queries) == 1


async def test_culprits_that_time_does_not_let_us_find_are_asked_apart() -> None:
    asking = Asking({"a": [series(1)], "b": SourceTimeoutError("late"), "bad": REFUSED})
    answer = asking.twin._result

    def in_a_hurry(query: str) -> list[Any]:
        if len(asking.twin.queries) == 1:
            raise REFUSED
        return answer(query)

    asking.twin._result = in_a_hurry  # type: ignore[method-assign]
    await asking.put()
    assert "b" in asking.suspects


async def test_failed_grouped_query_leaves_the_others_alone() -> None:
    plan = asks.plan([asks.wants_of(policy(threshold={}))])[asks.Server()]
    row = [series(2, namespace="agents", agent="research")]
    values: dict[str, list[Any] | SourceError] = {each.query: row for each in plan.grouped}
    values[plan.grouped[0].query] = SourceTimeoutError("late")
    twin = cast("Prometheus", TwinOfPrometheus(values))
    answers = await Inquiry(twin, Caller(until=0), NOON, Suspects()).put(plan)
    assert answers.grouped.pop(plan.grouped[0].query) == Missing(Why.TIMEOUT, "late")
    assert {type(table) for table in answers.grouped.values()} != {Missing}
    assert len(answers.grouped) == len(plan.grouped) - 1
