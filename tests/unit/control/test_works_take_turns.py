"""What is begun for policies: each line has its places, and what still waits can be withdrawn."""

import asyncio
from datetime import UTC, datetime

import pytest

from agentscaler.control.proceeding import Line, Work, Works
from agentscaler.control.registry import Entry
from agentscaler.errors import ClusterError, ConflictError, LeadershipLostError

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def entry(name: str) -> Entry:
    return Entry("agents", name, f"uid-{name}", 1, NOON, "1")


class Bench:
    """Works of which each waits until it is let go."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.released: list[tuple[str, bool]] = []
        self.works = Works(
            lambda entry: self.held.append(entry.name),
            lambda entry, again: self.released.append((entry.name, again)),
        )
        self.gate = asyncio.Event()

    def begin(self, line: Line, *names: str, error: Exception | None = None) -> None:
        async def work() -> None:
            await self.gate.wait()
            if error is not None:
                raise error

        for name in names:
            self.works.begin(line, entry(name), work)

    async def end(self) -> None:
        self.gate.set()
        await self.works.ended()


async def test_the_first_of_a_line_run_and_the_others_follow_in_their_order() -> None:
    bench, names = Bench(), [f"p{number}" for number in range(40)]
    bench.begin(Line.STATUS, *names)
    assert bench.held == names[:16]
    await bench.end()
    assert bench.held == names
    assert bench.released == [(name, False) for name in names]


async def test_growth_begins_however_many_statuses_wait() -> None:
    bench = Bench()
    bench.begin(Line.STATUS, *(f"p{number}" for number in range(100)))
    bench.begin(Line.GROWTH, "busy")
    assert bench.held[-1] == "busy"
    await bench.end()


async def test_few_statuses_are_written_while_something_grows_and_the_others_after_it() -> None:
    bench, statuses = Bench(), [f"p{number}" for number in range(20)]
    grown = asyncio.Event()

    async def grow() -> None:
        await grown.wait()

    bench.works.begin(Line.GROWTH, entry("busy"), grow)
    bench.begin(Line.STATUS, *statuses)
    assert bench.held == ["busy", *statuses[:2]]
    grown.set()
    await bench.works.ended(Line.GROWTH)
    assert bench.held == ["busy", *statuses[:16]]
    await bench.end()
    assert bench.held == ["busy", *statuses]


async def test_what_is_left_to_be_told_waits_with_the_statuses() -> None:
    bench, others = Bench(), [f"p{number}" for number in range(16)]

    async def tell() -> None:
        await bench.gate.wait()

    async def grow() -> Work:
        return tell

    bench.begin(Line.STATUS, *others)
    bench.works.begin(Line.GROWTH, entry("busy"), grow)
    await bench.works.ended(Line.GROWTH)
    assert (bench.held, bench.released) == ([*others, "busy"], [("busy", False)])
    await bench.end()
    assert (bench.held[-1], bench.released[-1]) == ("busy", ("busy", False))
    assert len(bench.held) == len(bench.released) == 18


async def test_what_is_left_to_be_told_can_be_withdrawn() -> None:
    bench, names = Bench(), [f"p{number}" for number in range(16)]

    async def grow() -> Work:
        async def tell() -> None:
            raise AssertionError("withdrawn")

        return tell

    bench.begin(Line.STATUS, *names)
    bench.works.begin(Line.GROWTH, entry("busy"), grow)
    await bench.works.ended(Line.GROWTH)
    bench.works.withdraw(["agents/busy"])
    await bench.end()
    assert bench.held == [*names, "busy"]


async def test_what_is_withdrawn_is_never_done_and_what_runs_goes_on() -> None:
    bench, names = Bench(), [f"p{number}" for number in range(20)]
    bench.begin(Line.STATUS, *names)
    bench.works.withdraw(f"agents/{name}" for name in names)
    await bench.end()
    assert bench.held == names[:16]


async def test_policy_is_free_when_nothing_is_under_way_for_it() -> None:
    bench, names = Bench(), [f"p{number}" for number in range(17)]
    bench.begin(Line.STATUS, *names)
    running, waiting = entry("p0"), entry("p16")
    assert bench.works.free([running, waiting]) == [waiting]
    await bench.end()
    assert bench.held == names[:16]  # what waited for the free one was withdrawn
    assert bench.works.free([running]) == [running]


async def test_newer_work_takes_the_place_of_what_waits_for_the_same_policy() -> None:
    bench = Bench()
    bench.begin(Line.STATUS, *(f"p{number}" for number in range(16)), "late", "late")
    await bench.end()
    assert bench.held.count("late") == 1


@pytest.mark.parametrize(
    ("error", "again"),
    [(ConflictError("changed"), True), (ClusterError("down"), False), (ValueError("bad"), False)],
    ids=["conflict", "cluster", "defect"],
)
async def test_failure_ends_with_its_policy(error: Exception, again: bool) -> None:
    bench = Bench()
    bench.begin(Line.GROWTH, "bad", error=error)
    bench.begin(Line.GROWTH, "good")
    await bench.end()
    assert sorted(bench.released) == [("bad", again), ("good", False)]


async def test_lost_leadership_is_told_to_who_waits() -> None:
    bench = Bench()
    bench.begin(Line.GROWTH, "lost", error=LeadershipLostError("another leads"))
    with pytest.raises(LeadershipLostError):
        await bench.end()


async def test_cancelled_works_end_and_the_waiting_ones_never_begin() -> None:
    bench, names = Bench(), [f"p{number}" for number in range(20)]
    bench.begin(Line.STATUS, *names)
    await bench.works.cancel()
    assert bench.held == names[:16]
    assert bench.released == [(name, False) for name in names[:16]]
