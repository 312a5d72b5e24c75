"""The time from asking for replicas to having them ready."""

from datetime import UTC, datetime, timedelta

from agentscaler.decide.leadtime import LeadTime

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def start(lead: LeadTime, seconds: float, *, goal: int = 2) -> None:
    lead.asked(goal, NOON)
    lead.seen(goal, goal, NOON + seconds * SECOND)


def test_nothing_is_known_at_first() -> None:
    assert LeadTime().value() is None


def test_recorded_value_counts_until_a_start_was_seen() -> None:
    lead = LeadTime(recorded=40 * SECOND)
    assert lead.value() == 40 * SECOND
    start(lead, 30)
    assert lead.value() == 30 * SECOND


def test_value_is_the_95th_percentile_of_the_last_twenty() -> None:
    lead = LeadTime()
    for seconds in (999, *range(1, 21)):
        start(lead, seconds)
    assert lead.value() == 19 * SECOND


def test_start_is_measured_until_all_are_ready() -> None:
    lead = LeadTime()
    lead.asked(5, NOON)
    lead.seen(5, 4, NOON + 10 * SECOND)
    assert lead.value() is None
    lead.seen(5, 5, NOON + 25 * SECOND)
    lead.seen(5, 5, NOON + 99 * SECOND)
    assert lead.value() == 25 * SECOND


def test_each_request_of_a_ramp_is_measured_from_its_own_asking() -> None:
    lead = LeadTime()
    for second, goal in ((0, 4), (20, 6), (40, 8)):
        lead.asked(goal, NOON + second * SECOND)
        lead.seen(goal, goal - 2, NOON + (second + 5) * SECOND)
    lead.seen(8, 8, NOON + 45 * SECOND)
    assert lead.value() == 25 * SECOND  # 4 were ready at 25, 6 at 45, 8 at 45: 25, 25 and 5


def test_request_taken_back_is_no_start() -> None:
    lead = LeadTime()
    lead.asked(5, NOON)
    lead.seen(3, 3, NOON + 10 * SECOND)
    lead.seen(5, 5, NOON + 20 * SECOND)
    assert lead.value() is None


def test_requests_that_are_met_at_once_are_a_start_each() -> None:
    lead = LeadTime()
    for _ in range(18):
        start(lead, 10)
    lead.asked(4, NOON)
    lead.asked(6, NOON + 10 * SECOND)
    lead.seen(6, 6, NOON + 30 * SECOND)
    assert lead.value() == 20 * SECOND  # of 20 starts all but one were as quick; of 19, all: 30


def test_slowest_of_a_few_starts_is_not_hidden() -> None:
    lead = LeadTime()
    for seconds in range(1, 11):
        start(lead, seconds)
    assert lead.value() == 10 * SECOND


def test_only_the_request_taken_back_is_measured_no_further() -> None:
    lead = LeadTime()
    lead.asked(3, NOON)
    lead.asked(5, NOON + 10 * SECOND)
    lead.seen(3, 2, NOON + 20 * SECOND)
    lead.seen(3, 3, NOON + 25 * SECOND)
    assert lead.value() == 25 * SECOND
