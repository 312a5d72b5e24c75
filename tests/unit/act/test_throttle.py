from datetime import UTC, datetime

import pytest

from agentscaler.act.throttle import Backoff, Throttle
from tests.fakes.connected import ManualClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_throttle_lets_a_burst_through_and_then_keeps_the_rate() -> None:
    clock = ManualClock(NOON)
    throttle = Throttle(clock, per_second=10, burst=3)
    for _ in range(5):
        await throttle.turn()
    assert clock.slept == pytest.approx([0.1, 0.1])
    assert throttle.waited_seconds == pytest.approx(0.2)


async def test_throttle_forgets_what_was_asked_long_ago() -> None:
    clock = ManualClock(NOON)
    throttle = Throttle(clock, per_second=10, burst=2)
    for _ in range(2):
        await throttle.turn()
    await clock.sleep(60)
    for _ in range(2):
        await throttle.turn()
    assert clock.slept == [60]


def test_backoff_doubles_up_to_its_longest_and_starts_over() -> None:
    backoff = Backoff(first=1, longest=5, chance=lambda: 1.0)
    assert [backoff.next_seconds() for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next_seconds() == 1


def test_backoff_is_shortened_at_most_to_half() -> None:
    assert Backoff(first=1, chance=lambda: 0.0).next_seconds() == 0.5
