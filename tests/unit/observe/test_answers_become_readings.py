"""What results say, joined with what policies want."""

import math
from typing import Any

import pytest

from agentscaler.api.policy import Policy
from agentscaler.api.signals import SignalName
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.observe import answers, asks, readings
from agentscaler.observe.answers import Table
from agentscaler.observe.expressions import Ratio
from agentscaler.observe.readings import Answers
from tests.unit.observe.worlds import NOON, metric, policy, series

AT = NOON.timestamp()
US = ("agents", "research")


@pytest.mark.parametrize(
    ("result", "reading"),
    [
        pytest.param([], answers.NO_SERIES, id="nothing"),
        pytest.param([series(7)], 7.0, id="one series"),
        pytest.param([AT, "7"], 7.0, id="a scalar"),
        pytest.param([series(0)], 0.0, id="zero"),
    ],
)
def test_result_of_a_query_is_one_number(result: list[Any], reading: Reading) -> None:
    assert answers.number_of(result) == reading


@pytest.mark.parametrize(
    ("result", "why"),
    [
        pytest.param([series(1), series(2), series(3)], Why.AMBIGUOUS, id="several"),
        pytest.param([series("NaN")], Why.NOT_A_NUMBER, id="NaN"),
        pytest.param([series("+Inf")], Why.NOT_A_NUMBER, id="infinity"),
        pytest.param([series(-1)], Why.NOT_A_NUMBER, id="negative"),
        pytest.param([AT, "seven"], Why.NOT_A_NUMBER, id="a text"),
        pytest.param([{"metric": {}, "histogram": [AT, {}]}], Why.NOT_A_NUMBER, id="a histogram"),
        pytest.param([{"metric": {}, "values": [[AT, "1"]]}], Why.NOT_A_NUMBER, id="a range"),
    ],
)
def test_other_result_is_missing(result: list[Any], why: Why) -> None:
    reading = answers.number_of(result)
    assert isinstance(reading, Missing)
    assert reading.why is why


def test_table_leaves_out_series_that_belong_to_no_policy() -> None:
    table = answers.table_of(
        [
            series(1, namespace="agents", agent="research"),
            series(2, namespace="agents", asp_workload="llama"),
            series(AT - 200, namespace="agents", agent="old", asp_sampled="1"),
            series(3, namespace="agents"),
            series(4, agent="research"),
            series(5),
        ]
    )
    assert table.values == {US: 1.0, ("agents", "llama"): 2.0}
    assert table.sampled == {("agents", "old"): AT - 200}


def answered(one: Policy, **tables: Table | Missing) -> Answers:
    """Give the answers for a policy, by signal; signals that are not given have no series."""
    found = Answers(AT)
    for name, want in asks.wants_of(one).signals.items():
        table = tables.get(name.name.lower(), Table({}, {}))
        if isinstance(want.source, Ratio):
            found.grouped[want.source.whole.query] = table
            found.grouped[want.source.part.query] = tables.get("failed", Table({}, {}))
        else:
            found.grouped[want.source.query] = table  # type: ignore[union-attr]
    return found


def read(name: SignalName, one: Policy, **tables: Table | Missing) -> Reading:
    return readings.join(asks.wants_of(one), answered(one, **tables)).signals[name]


def amount(value: float, sampled: float | None = None) -> Table:
    return Table({US: value}, {} if sampled is None else {US: sampled})


def test_histogram_of_one_agent_hides_only_its_own_number() -> None:
    """Any pod may export one; the answer is that of all agents."""
    odd = {"metric": {"namespace": "agents", "agent": "odd"}, "histogram": [AT, {"count": "3"}]}
    table = answers.table_of([odd, series(1, namespace="agents", agent="research")])
    assert table.values[US] == 1
    assert math.isnan(table.values["agents", "odd"])


def test_number_of_another_namespace_is_not_ours() -> None:
    theirs = Table({("others", "research"): 7.0}, {})
    reading = read(SignalName.QUEUE_DEPTH, policy("research"), queue_depth=theirs)
    assert reading == Missing(
        Why.EMPTY, 'no series agent_queue_depth of namespace "agents" and agent "research"'
    )


@pytest.mark.parametrize(("age", "known"), [(120, True), (121, False)])
def test_sample_is_stale_once_it_is_too_old(age: float, *, known: bool) -> None:
    reading = read(
        SignalName.QUEUE_DEPTH, policy("research"), queue_depth=amount(7, sampled=AT - age)
    )
    assert reading == (7.0 if known else Missing(Why.STALE, "the newest sample is 2m1s old"))


@pytest.mark.parametrize(
    ("failed", "ended", "reading"),
    [
        pytest.param(amount(1), amount(4), 0.25, id="some"),
        pytest.param(amount(0), amount(0), 0.0, id="nothing ended"),
        pytest.param(Table({}, {}), amount(4), 0.0, id="never failed"),
        pytest.param(amount(5), amount(4), 1.0, id="more than ended"),
        pytest.param(amount(5), amount(0), 1.0, id="only failures"),
    ],
)
def test_error_ratio_is_failures_over_ends(failed: Table, ended: Table, reading: float) -> None:
    one = policy("research", threshold={})
    assert read(SignalName.ERROR_RATIO, one, failed=failed, error_ratio=ended) == reading


def test_error_ratio_is_unknown_without_ends() -> None:
    one = policy("research", threshold={})
    reading = read(SignalName.ERROR_RATIO, one, failed=amount(1))
    assert isinstance(reading, Missing)
    assert reading.why is Why.EMPTY
    assert "with two samples within 1m" in reading.detail


def test_error_ratio_is_unknown_when_failures_are() -> None:
    gone = Missing(Why.TIMEOUT, "late")
    one = policy("research", threshold={})
    assert read(SignalName.ERROR_RATIO, one, failed=gone, error_ratio=amount(1)) == gone


def test_failed_query_is_the_reading_of_all_who_share_it() -> None:
    gone = Missing(Why.UNAVAILABLE, "no answer")
    assert read(SignalName.WAIT, policy("research"), wait=gone) is gone


def test_empty_is_zero_only_where_the_policy_says_so() -> None:
    one = policy(
        metrics=[metric("zero", "a", emptyResult="Zero"), metric("unknown", "b")],
        gates=[{"name": "zero", "query": "a", "above": "1%", "emptyResult": "Zero"}],
    )
    found = Answers(AT, custom={"a": answers.NO_SERIES, "b": answers.NO_SERIES})
    joined = readings.join(asks.wants_of(one), found)
    assert joined.metrics == {"zero": 0.0, "unknown": answers.NO_SERIES}
    assert joined.gates == {"zero": 0.0}
    assert joined.signals == {}


def test_other_missing_is_never_zero() -> None:
    one = policy(metrics=[metric("zero", "a", emptyResult="Zero")])
    gone = Missing(Why.UNAVAILABLE, "no answer")
    joined = readings.join(asks.wants_of(one), Answers(AT, custom={"a": gone}))
    assert joined.metrics == {"zero": gone}


def test_warning_concerns_those_who_asked() -> None:
    ours = policy(threshold={}, metrics=[metric("m", "a"), metric("text", '"b"')])
    found = answered(ours)
    found.custom["a"] = 1.0
    found.warnings["a"] = "store-3 is gone"
    assert readings.join(asks.wants_of(ours), found).partial == "store-3 is gone"
    theirs = policy("other", threshold={})
    assert readings.join(asks.wants_of(theirs), found).partial == ""


def test_policy_without_a_server_sees_nothing() -> None:
    gone = Missing(Why.REFUSED, "not allowed")
    wants = asks.wants_of(policy(metrics=[metric("m", "a")], demand={}))
    seen = readings.without_source(wants, gone)
    assert set(seen.signals) == set(wants.signals)
    assert {*seen.signals.values(), *seen.metrics.values()} == {gone}
