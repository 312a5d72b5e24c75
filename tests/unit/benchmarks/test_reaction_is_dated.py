"""From the moment a step can be seen to the moment it is answered."""

import asyncio
from math import inf

from tests.benchmarks.reaction.loads import FIRST_LOAD, Loads
from tests.benchmarks.reaction.steps import Steps, percentile


def test_reaction_counts_from_when_prometheus_took_the_page_in() -> None:
    steps = Steps()
    steps.open("a")
    steps.hand_out(7)
    steps.see(7, now=100.0)
    steps.answer("a", now=103.5)
    assert (steps.reactions(), steps.unasked) == ([3.5], 0)


def test_step_is_not_visible_with_a_page_from_before_it() -> None:
    steps = Steps()
    steps.hand_out(7)
    steps.open("a")
    steps.see(7, now=100.0)
    steps.hand_out(8)
    steps.see(8, now=102.0)
    steps.answer("a", now=103.0)
    assert steps.reactions() == [1.0]


def test_answer_that_is_seen_before_the_page_took_no_time() -> None:
    steps = Steps()
    steps.open("a")
    steps.hand_out(1)
    steps.answer("a", now=99.9)
    steps.see(1, now=100.0)
    assert steps.reactions() == [0.0]


def test_replicas_that_no_step_asked_for_are_counted_apart() -> None:
    steps = Steps()
    steps.answer("a", now=1.0)
    steps.open("a")
    steps.answer("a", now=2.0)  # it cannot know of the step yet
    assert (steps.unasked, steps.reactions()) == (2, [inf])


def test_step_that_the_next_one_overtakes_stays_unanswered() -> None:
    steps = Steps()
    for page in (1, 2):
        steps.open("a")
        steps.hand_out(page)
        steps.see(page, now=float(page))
    steps.answer("a", now=3.0)
    assert steps.reactions() == [1.0, inf]


async def test_waiting_ends_with_the_last_answer() -> None:
    steps = Steps()
    steps.open("a")
    waiting = asyncio.create_task(steps.over())
    steps.hand_out(1)
    steps.see(1, now=1.0)
    await asyncio.sleep(0)
    assert not waiting.done()
    steps.answer("a", now=2.0)
    await asyncio.wait_for(waiting, 1)


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.5, 0.95, 0.99, 1)] == [50, 95, 99, 100]
    assert percentile([4.0], 0.5) == 4.0


def test_page_shows_the_load_that_grew_and_counters_that_run() -> None:
    loads = Loads("bench", ["a", "b"])
    loads.grow("a")
    page = loads.page(3, seconds=60).splitlines()
    busy = [line for line in page if line.startswith("agent_active_requests")]
    assert page[0] == "bench_page 3"
    assert [line.rpartition(" ")[2] for line in busy] == ["18", f"{FIRST_LOAD}"]
    assert 'agent_requests_total{namespace="bench",agent="b",pod="b-0",outcome="ok"} 120.0' in page


def test_requests_that_ended_are_no_more_for_a_load_that_grew_since() -> None:
    loads = Loads("bench", ["a"])
    loads.page(1, seconds=60)
    loads.grow("a")
    page = loads.page(2, seconds=62).splitlines()
    ended = next(line for line in page if line.startswith("agent_requests_total"))
    assert float(ended.rpartition(" ")[2]) == 60 * 12 / 6 + 2 * 18 / 6
