"""Due times: policies of one interval are due together, new ones at once."""

from hypothesis import given
from hypothesis import strategies as st

from agentscaler.control.schedule import Schedule


def test_policies_of_one_interval_are_due_together() -> None:
    schedule = Schedule(phase=3.0)
    for key, now in (("a", 100.0), ("b", 104.0), ("c", 111.9)):
        schedule.after(key, 15.0, now)
    assert schedule.next_due() == 108.0
    assert schedule.take_due(108.0) == ["a", "b"]
    assert schedule.take_due(123.0) == ["c"]


def test_rounds_of_shorter_intervals_meet_those_of_longer_ones() -> None:
    schedule = Schedule(phase=3.0)
    schedule.after("slow", 15.0, 100.0)
    schedule.after("fast", 5.0, 104.0)
    assert set(schedule.take_due(108.0)) == {"slow", "fast"}


def test_taken_policies_are_scheduled_no_more() -> None:
    schedule = Schedule(phase=0.0)
    schedule.at_once("a", 1.0)
    assert schedule.take_due(1.0) == ["a"]
    assert (schedule.take_due(100.0), schedule.next_due()) == ([], None)


def test_change_makes_a_policy_due_at_once() -> None:
    schedule = Schedule(phase=0.0)
    schedule.after("a", 60.0, 10.0)
    schedule.at_once("a", 12.0)
    assert schedule.next_due() == 12.0
    schedule.at_once("a", 13.0)
    assert schedule.next_due() == 12.0  # overdue stays overdue


def test_forgotten_policy_is_never_due() -> None:
    schedule = Schedule(phase=0.0)
    schedule.after("a", 15.0, 1.0)
    schedule.forget("a")
    schedule.forget("a")
    assert (schedule.next_due(), schedule.take_due(1000.0)) == (None, [])


@given(st.floats(0, 1e6), st.floats(1, 3600), st.floats(0, 3600))
def test_next_round_is_later_than_now_and_within_one_interval(
    now: float, interval: float, phase: float
) -> None:
    schedule = Schedule(phase)
    schedule.after("a", interval, now)
    due = schedule.next_due()
    assert due is not None
    assert now - 1e-6 < due <= now + interval + 1e-6


def test_change_during_a_pass_is_not_put_off_to_the_next_round() -> None:
    schedule = Schedule(phase=0.0)
    schedule.at_once("a", 10.0)
    schedule.take_due(10.0)
    schedule.at_once("a", 10.2)  # the watch told of a new spec meanwhile
    schedule.after("a", 3600.0, 11.0)
    assert schedule.next_due() == 10.2


def test_policy_that_is_held_is_not_taken_until_it_is_released() -> None:
    schedule = Schedule(phase=0.0)
    schedule.at_once("a", 10.0)
    schedule.hold("a")
    assert (schedule.take_due(100.0), schedule.next_due()) == ([], None)
    schedule.at_once("a", 5.0)
    assert (schedule.take_due(100.0), schedule.next_due()) == ([], None)
    schedule.release("a")
    assert (schedule.take_due(100.0), schedule.take_due(100.0)) == (["a"], [])


def test_held_policies_are_taken_apart_when_it_is_their_round() -> None:
    schedule = Schedule(phase=0.0)
    for key in ("a", "b"):
        schedule.hold(key)
        schedule.after(key, 15.0, 1.0)
    schedule.release("b")
    assert (schedule.take_held(14.9), schedule.take_held(15.0)) == ([], ["a"])
    assert schedule.take_held(15.0) == []
    schedule.release("a")
    assert schedule.take_due(100.0) == ["b"]  # the other waits until told so again


def test_held_policy_that_is_wanted_out_of_turn_is_taken_as_soon_as_it_is_released() -> None:
    schedule = Schedule(phase=0.0)
    schedule.after("a", 15.0, 1.0)
    schedule.hold("a")
    schedule.at_once("a", 10.0)
    assert schedule.take_held(15.0) == []
    schedule.release("a")
    assert (schedule.next_due(), schedule.take_due(15.0)) == (10.0, ["a"])
    schedule.hold("a")
    schedule.after("a", 15.0, 16.0)
    assert schedule.take_held(30.0) == ["a"]  # what was wanted was done
