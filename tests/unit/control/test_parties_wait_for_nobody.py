"""Who asks a slow server is served beside the passes of the others, and once at a time."""

import asyncio

import pytest

from agentscaler.control import parties
from agentscaler.control.parties import Parties, Party
from agentscaler.control.proceeding import Line, Work, Works
from agentscaler.control.registry import Entry
from agentscaler.errors import ConflictError, LeadershipLostError
from agentscaler.observe.sources import OWN, Group
from tests.unit.control.bodies import NOON

SLOW, OTHER = Group("http://slow:9090", False), Group("http://other:9090", False)


class Hall:
    """Parties whose servers answer when they are let go."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.served: list[str] = []
        self.again: list[str] = []
        self.answers: dict[str, asyncio.Event] = {}
        self.error: Exception | None = None
        self.works = Works(
            lambda entry: self.held.add(entry.name),
            self._release,
        )
        self.parties = Parties(self.works)

    def _release(self, entry: Entry, again: bool) -> None:
        self.held.discard(entry.name)
        self.again += [entry.name] * again

    async def turn(self, **servers: Group) -> None:
        """Serve the policies of these names, each of which asks the server that is given."""
        found: dict[Group, Party] = {
            group: ([entry(name) for name, its in servers.items() if its == group], [])
            for group in servers.values()
        }
        await self.parties.serve(found, self._serve)

    async def _serve(self, due: list[Entry], busy: list[Entry]) -> None:
        for each in due:
            await self.answers.setdefault(each.name, asyncio.Event()).wait()
            if self.error:
                raise self.error
            self.served.append(each.name)

    def answer(self, *names: str) -> None:
        for name in names:
            self.answers.setdefault(name, asyncio.Event()).set()


def entry(name: str) -> Entry:
    return Entry("agents", name, f"uid-{name}", 1, NOON, "1")


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Hall:
    monkeypatch.setattr(parties, "_PATIENCE_SECONDS", 0.05)
    return Hall()


async def test_servers_that_answer_end_with_the_pass(hall: Hall) -> None:
    hall.answer("a", "b")
    await hall.turn(a=OWN, b=OTHER)
    assert (sorted(hall.served), hall.held) == (["a", "b"], set())


async def test_policies_of_a_late_server_are_held_until_it_has_answered(hall: Hall) -> None:
    hall.answer("a")
    await hall.turn(a=OWN, b=SLOW)
    assert (hall.served, hall.held) == (["a"], {"b"})
    hall.answer("b")
    await hall.parties.ended()
    assert (hall.served, hall.held) == (["a", "b"], set())


async def test_others_have_pass_after_pass_meanwhile(hall: Hall) -> None:
    hall.answer("a", "c")
    await hall.turn(a=OWN, b=SLOW)
    await hall.turn(a=OWN, c=OTHER)
    assert hall.served.count("a") == 2
    assert "c" in hall.served
    await hall.parties.cancel()


async def test_late_server_is_asked_by_one_party_at_a_time(hall: Hall) -> None:
    await hall.turn(b=SLOW)
    hall.answer("d")
    await hall.turn(d=SLOW)
    assert (hall.served, hall.held, hall.again) == ([], {"b", "d"}, [])
    hall.answer("b")
    await hall.parties.ended()
    assert (hall.served, hall.held, hall.again) == (["b"], set(), ["d"])


async def test_server_that_was_late_is_waited_for_once_it_was_in_time_again(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.turn(b=SLOW)
    hall.answer("b")
    await hall.parties.ended()
    monkeypatch.setattr(parties, "_PATIENCE_SECONDS", 30)
    await hall.turn(b=SLOW)
    assert hall.served == ["b"]
    await hall.parties.ended()
    await hall.turn(b=SLOW)
    assert hall.served == ["b"] * 3


async def test_own_server_is_waited_for_however_long_it_takes(hall: Hall) -> None:
    turn = asyncio.create_task(hall.turn(a=OWN))
    await asyncio.sleep(0.15)
    assert not turn.done()
    hall.answer("a")
    await turn
    assert hall.held == set()


async def test_policy_for_which_something_was_begun_stays_held(hall: Hall) -> None:
    going = asyncio.Event()

    async def work() -> Work | None:
        await going.wait()
        return None

    await hall.turn(b=SLOW)
    hall.works.begin(Line.STATUS, entry("b"), work)
    hall.answer("b")
    await hall.parties.ended()
    assert hall.held == {"b"}
    going.set()
    await hall.works.ended()
    assert hall.held == set()


async def test_wish_for_a_policy_of_a_late_party_is_kept(hall: Hall) -> None:
    async def work() -> Work | None:
        raise ConflictError("looked at again")

    await hall.turn(b=SLOW)
    hall.works.begin(Line.GROWTH, entry("b"), work)
    await hall.works.ended()
    assert (hall.held, hall.again) == ({"b"}, [])
    hall.answer("b")
    await hall.parties.ended()
    assert (hall.held, hall.again) == (set(), ["b"])


async def test_failure_in_time_is_passed_on_and_a_late_one_ends_the_party_only(hall: Hall) -> None:
    await hall.turn(b=SLOW)
    hall.error = RuntimeError("broken on purpose")
    hall.answer("b")
    await hall.parties.ended()
    assert hall.held == set()
    hall.error = LeadershipLostError("lost")
    with pytest.raises(LeadershipLostError):
        await hall.turn(b=OTHER)


async def test_pass_that_is_broken_off_leaves_no_party_behind(hall: Hall) -> None:
    turn = asyncio.create_task(hall.turn(a=OWN, b=SLOW))
    await asyncio.sleep(0)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    await hall.parties.ended()
    assert (hall.served, hall.held) == ([], set())


async def test_end_of_all_breaks_off_what_is_late(hall: Hall) -> None:
    await hall.turn(b=SLOW)
    await hall.parties.cancel()
    assert (hall.served, hall.held) == ([], set())
