"""Histories are read together where they are alike, and by turns where they are not."""

from datetime import timedelta

from agentscaler.api.policy import Policy
from tests.fakes.connected import until
from tests.unit.control.pasts import Past, Pauses, expected, filling, made, observing
from tests.unit.observe.worlds import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def greedy(number: int) -> Policy:
    """Give one of many policies of a namespace, each of which needs another history."""
    return observing(f"p{number}", history=f"{number + 60}m")


def elsewhere(namespace: str) -> Policy:
    return observing(history="2d").model_copy(update={"namespace": namespace})


async def test_history_is_worked_in() -> None:
    past = Past(load=8.0)
    forecasts = made(past)
    forecasts.follow(observing())
    async with filling(forecasts):
        await until(lambda: expected(forecasts.outlook(observing(), NOON, None)) > 7)
    assert past.asked == [(["agents/research"], HOUR, MINUTE)]


async def test_policies_of_one_shape_are_asked_together_and_others_apart() -> None:
    past = Past()
    forecasts = made(past)
    for number in range(250):
        forecasts.follow(observing(f"p{number}", season="2m", history="1d"))
    forecasts.follow(observing("odd", season="10m"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 3)
    assert [len(keys) for keys, _, _ in past.asked] == [200, 50, 1]
    # Eight seasons are enough, and no bucket is shorter than a poll.
    assert past.asked[0][1:] == (16 * MINUTE, timedelta(seconds=15))


async def test_policies_that_need_the_same_history_are_asked_together_whatever_their_quantile() -> (
    None
):
    past = Past()
    forecasts = made(past)
    for number in range(1, 10):
        forecasts.follow(observing(f"p{number}", quantile=f"{number}0%"))
    forecasts.follow(observing("long", history="8d", season="1h"))
    forecasts.follow(observing("longer", history="9d", season="1h"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 2)
        await until(lambda: not forecasts._without_history)
    assert [len(keys) for keys, _, _ in past.asked] == [9, 2]


async def test_namespace_that_wants_many_histories_keeps_no_other_waiting() -> None:
    past = Past()
    forecasts = made(past)
    forecasts.follow(*(greedy(number) for number in range(10)))
    forecasts.follow(elsewhere("calm"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 11)
    assert ["calm/research"] in [keys for keys, _, _ in past.asked[:2]]


async def test_policy_that_comes_while_many_histories_are_read_is_next() -> None:
    past = Past()
    forecasts = made(past)
    forecasts.follow(*(greedy(number) for number in range(10)))
    past.meanwhile = lambda: forecasts.follow(elsewhere("late"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 11)
    assert past.asked[1][0] == ["late/research"]


async def test_history_that_cannot_be_had_is_tried_five_times() -> None:
    past, clock = Past(), Pauses()
    past.unknown = {"agents/research"}
    forecasts = made(past, clock)
    forecasts.follow(observing())
    async with filling(forecasts):
        for tries in range(1, 5):
            await until(lambda tries=tries: len(clock.begun) == tries)  # type: ignore[misc]
            clock.over.set()
        await until(lambda: len(past.asked) == 5)
        forecasts.follow(observing("other"))
        await until(lambda: len(past.asked) == 6)
    assert past.asked[5][0] == ["agents/other"]
    assert clock.begun == [60.0] * 4


async def test_one_unknown_history_keeps_no_other_waiting() -> None:
    past = Past()
    past.unknown = {"agents/a"}
    forecasts = made(past)
    forecasts.follow(observing("a"))
    forecasts.follow(observing("b"))
    async with filling(forecasts):
        await until(lambda: expected(forecasts.outlook(observing("b"), NOON, None)) > 7)


async def test_history_of_another_shape_is_not_worked_into_the_new_row() -> None:
    """The spec changed while its history was being read: the new row needs one of its own."""
    past, clock = Past(), Pauses()
    forecasts = made(past, clock)
    forecasts.follow(observing())
    past.meanwhile = lambda: forecasts.follow(observing(season="1h"))
    async with filling(forecasts):
        await until(lambda: clock.begun)
        assert expected(forecasts.outlook(observing(season="1h"), NOON, None)) == 0
        clock.over.set()
        await until(lambda: len(past.asked) == 2)
        await until(lambda: not forecasts._without_history)
    assert past.asked[1][1:] == (HOUR, timedelta(seconds=15))


async def test_history_of_a_policy_that_went_meanwhile_is_let_go() -> None:
    past = Past()
    forecasts = made(past)
    forecasts.follow(observing())
    past.meanwhile = lambda: forecasts.forget("agents/research")
    async with filling(forecasts):
        await until(lambda: past.asked)
        await until(lambda: not forecasts._is_busy)
    assert forecasts._rows == {}


async def test_failure_to_read_histories_ends_nothing() -> None:
    """What nobody foresaw in one batch must not keep all later ones from being read."""
    past, clock = Past(), Pauses()
    forecasts = made(past, clock)
    forecasts.follow(observing())

    def fail() -> None:
        past.meanwhile = lambda: None
        raise RuntimeError("broken on purpose")

    past.meanwhile = fail
    async with filling(forecasts):
        await until(lambda: clock.begun)
        clock.over.set()
        await until(lambda: expected(forecasts.outlook(observing(), NOON, None)) > 7)
