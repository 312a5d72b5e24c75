"""What was measured is judged, drawn, and read back from its file."""

import json
from math import inf, isinf
from xml.etree import ElementTree

import pytest

from tests.benchmarks.reaction import chart, goals, report
from tests.benchmarks.reaction.measuring import Found, Reaction, reaction_of
from tests.benchmarks.reaction.steps import Steps


def reaction(interval: int, p99: float) -> Reaction:
    answered = [] if isinf(p99) else [p99 / 2, p99]
    return Reaction(interval, 200, 0, 0, p99 / 2, p99, p99, answered)


OURS = Found("agentscaler", 5000, 40.0, 5000, [reaction(15, 15.9), reaction(1, 2.4)])
SLOW = Found("KEDA + HPA, defaults", 1000, inf, 700, [reaction(15, inf)])


@pytest.mark.parametrize(("p99", "is_met"), [(15.99, True), (16.0, False), (inf, False)])
def test_p99_of_many_policies_has_an_interval_and_a_second(p99: float, is_met: bool) -> None:
    found = Found("agentscaler", 5000, 1.0, 5000, [reaction(15, p99)])
    assert [each.is_met for each in goals.judge([found])] == [is_met]


def test_thousand_policies_are_judged_by_the_cold_start_and_the_fastest_polling() -> None:
    found = Found("agentscaler", 1000, 10.5, 1000, [reaction(15, 15.1), reaction(1, 1.9)])
    assert [each.is_met for each in goals.judge([found])] == [False, True]


def test_others_are_not_judged() -> None:
    assert list(goals.judge([SLOW])) == []


def test_figures_are_read_back_as_they_were_written() -> None:
    told = json.loads(json.dumps(report.figures([OURS, SLOW], "abc"), allow_nan=False))
    assert report.read(told) == [OURS, SLOW]


def test_table_tells_what_was_never_answered() -> None:
    first, second, third = report.rows([OURS, SLOW])
    assert first[:3] == ("agentscaler", "5,000", "40.0")
    assert second[:4] == ("", "", "", "1")
    assert "700 evaluated" in third[2]
    assert third[6] == "never"


def test_reactions_are_summed_up_with_those_that_never_came() -> None:
    steps = Steps()
    for number, agent in enumerate(["a", "b"]):
        steps.open(agent)
        steps.hand_out(number)
        steps.see(number, now=0.0)
    steps.answer("a", now=2.0)
    summed = reaction_of(15, steps)
    assert (summed.p50, summed.p99, summed.unanswered, summed.reactions) == (2.0, inf, 1, [2.0])


def test_chart_has_a_bar_for_each_measurement() -> None:
    drawn = ElementTree.fromstring(chart.draw([OURS, SLOW]))  # noqa: S314 - our own
    bars = [each for each in drawn.iter() if each.get("stroke-width") == "10"]
    assert len(bars) == 3
