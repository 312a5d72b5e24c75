"""Copies of collections against every way in which lists and watches may fail."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentscaler.act.client import Api, Limits
from agentscaler.act.mirror import Mirror
from agentscaler.act.places import Resource
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError, ForbiddenError, NotFoundError
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.clocks import HandClock
from tests.fakes.connected import HurriedClock, connected, until

FLEETS = Resource("example.dev/v1", "fleets")
Change = tuple[str, int | None, int | None]


def fleet(name: str, size: int, namespace: str = "agents") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"size": size}}


class NotingClock(HurriedClock):
    """Remembers how long it was asked to sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)


class StoppedClock(HurriedClock):
    """No pause is ever over, so that only an event has an object read again."""

    def monotonic(self) -> float:
        return 0.0


class Following:
    """A mirror of fleet sizes under way, and what it told."""

    def __init__(self, server: FakeApiServer, api: Api, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.changes: list[Change] = []
        self.refused: dict[str, int] = {}
        self.broken: set[int] = set()
        self.begun: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.gates: dict[str, asyncio.Event] = {}
        self.tries: Counter[str] = Counter()
        self.tried_at: defaultdict[str, list[float]] = defaultdict(list)
        self.mirror: Mirror[int] = Mirror(
            api,
            FLEETS.at(),
            read=self._read,
            on_change=lambda key, before, after: self.changes.append((key[1], before, after)),
            clock=self.clock,
        )

    async def _read(self, body: dict[str, Any], _before: int | None) -> int | None:
        name = body["metadata"]["name"]
        self.tries[name] += 1
        self.tried_at[name].append(self.clock.monotonic())
        size = int(body["spec"]["size"])
        self.begun[size] += 1
        for gate in {name, f"{name}={size}"} & self.gates.keys():
            await self.gates[gate].wait()
        if self.refused.get(name, 0) >= self.tries[name] or size in self.broken:
            self.failed[size] += 1
            raise ClusterError("not told")
        return None if size < 0 else size

    def sizes(self) -> dict[str, int]:
        return {name: size for (_, name), size in self.mirror.kept.items()}

    def lists(self) -> int:
        return self.server.count("list", "fleets")

    def watches(self) -> int:
        return self.server.count("watch", "fleets")


@asynccontextmanager
async def following(
    folder: Path,
    *,
    watch_seconds: int = 300,
    clock: Clock | None = None,
    prepare: Callable[[Following], None] | None = None,
    **sizes: int,
) -> AsyncIterator[Following]:
    limits = Limits(
        per_second=10_000,
        burst=1000,
        timeout_seconds=0.5,
        silence_seconds=0.3,
        watch_seconds=watch_seconds,
    )
    async with connected(folder, limits=limits) as (server, api):
        for name, size in sizes.items():
            server.objects.put("fleets", fleet(name, size))
        it = Following(server, api, clock or HurriedClock())
        if prepare is not None:
            prepare(it)
        tasks = [asyncio.create_task(work()) for work in (it.mirror.run, it.mirror.read_again)]
        try:
            yield it
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_mirror_tells_what_there_is_and_what_changes(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await it.mirror.settled()
        assert (it.mirror.synced, it.sizes()) == (True, {"a": 1})
        it.server.objects.put("fleets", fleet("a", 2))
        it.server.objects.put("fleets", fleet("b", 5))
        it.server.objects.remove("fleets", "agents", "a")
        await until(lambda: it.sizes() == {"b": 5})
        assert it.changes == [("a", None, 1), ("a", 1, 2), ("b", None, 5), ("a", 2, None)]
        assert it.lists() == 1


async def test_mirror_says_nothing_when_nothing_that_is_kept_changed(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await it.mirror.settled()
        it.server.objects.put("fleets", {**fleet("a", 1), "status": {"live": 1}})
        it.server.objects.put("fleets", fleet("b", 5))
        await until(lambda: "b" in it.sizes())
        assert it.changes == [("a", None, 1), ("b", None, 5)]


async def test_object_that_is_not_told_while_a_list_takes_long_is_read_again(
    tmp_path: Path,
) -> None:
    """Its first pause may be over before the list is."""

    def refuse_one_and_hold_the_next(it: Following) -> None:
        it.refused["a"], it.gates["b"] = 1, asyncio.Event()

    async with following(tmp_path, prepare=refuse_one_and_hold_the_next, a=1, b=2) as it:
        await until(lambda: it.tries["b"] == 1)
        await asyncio.sleep(0.1)  # ten seconds of its clock: longer than any first pause
        it.gates["b"].set()
        await until(lambda: it.sizes() == {"a": 1, "b": 2})


async def test_list_does_not_undo_what_was_read_while_it_was_made(tmp_path: Path) -> None:
    async with following(tmp_path, a=1, b=2) as it:
        await it.mirror.settled()
        it.broken, it.gates["b"] = {7}, asyncio.Event()
        it.server.objects.put("fleets", fleet("a", 7))
        await until(lambda: it.failed[7])
        it.server.objects.forget()
        it.server.cut()
        await until(lambda: it.tries["b"] == 2)  # the new list has refused a, and waits for b
        it.broken = set()
        await until(lambda: it.sizes()["a"] == 7)
        it.gates["b"].set()
        it.server.objects.put("fleets", fleet("c", 3))
        await until(lambda: "c" in it.sizes())
        assert it.lists() == 2
        assert it.changes[2:] == [("a", 1, 7), ("c", None, 3)]


async def test_object_that_is_refused_for_good_delays_no_other(tmp_path: Path) -> None:
    """The one is tried every five minutes at last, the other after five seconds."""

    def refuse(it: Following) -> None:
        it.refused["never"] = 10**6

    async with following(tmp_path, clock=HandClock(), prepare=refuse, never=1, a=1) as it:
        await until(lambda: it.tries["never"] > 7)
        it.refused["a"] = it.tries["a"] + 1
        it.server.objects.put("fleets", fleet("a", 2))
        await until(lambda: it.sizes() == {"a": 2})
        refused, read = it.tried_at["a"][-2:]
        assert read - refused < 10


async def test_object_is_not_taken_for_gone_while_it_is_read(tmp_path: Path) -> None:
    def refuse(it: Following) -> None:
        it.refused["a"] = 1

    async with following(tmp_path, clock=StoppedClock(), prepare=refuse, a=1) as it:
        await it.mirror.settled()
        it.gates["a"] = asyncio.Event()
        it.server.objects.put("fleets", fleet("a", 2))
        await until(lambda: it.tries["a"] > 1)
        with pytest.raises(ClusterError, match="not told"):
            it.mirror.find(("agents", "a"))
        it.gates["a"].set()
        await until(lambda: it.sizes() == {"a": 2})


async def test_read_that_fails_does_not_undo_what_was_read_meanwhile(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await it.mirror.settled()
        it.broken, it.gates["a=3"] = {2, 3}, asyncio.Event()
        it.server.objects.put("fleets", fleet("a", 2))
        await until(lambda: it.failed[2])
        it.server.objects.put("fleets", fleet("a", 3))
        await until(lambda: it.begun[3])
        it.broken = {3}
        await until(lambda: it.sizes() == {"a": 2})
        it.gates["a=3"].set()
        await until(lambda: it.failed[3])
        await asyncio.sleep(0)
        assert it.sizes() == {"a": 2}


async def test_objects_without_interest_are_not_kept(tmp_path: Path) -> None:
    async with following(tmp_path, a=-1, b=2) as it:
        await it.mirror.settled()
        assert it.sizes() == {"b": 2}
        it.server.objects.put("fleets", fleet("b", -1))
        await until(lambda: not it.sizes())
        assert it.changes == [("b", None, 2), ("b", 2, None)]


async def test_object_that_cannot_be_read_does_not_disturb_the_others(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await it.mirror.settled()
        it.server.objects.put("fleets", {"metadata": {"namespace": "agents", "name": "odd"}})
        it.server.objects.put("fleets", fleet("b", 2))
        await until(lambda: "b" in it.sizes())
        assert it.sizes() == {"a": 1, "b": 2}
        it.server.objects.forget()
        await until(lambda: it.lists() == 2)
        assert it.sizes() == {"a": 1, "b": 2}


async def test_watch_that_ends_goes_on_where_it_was(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await until(lambda: it.watches() == 1)
        it.server.cut()
        it.server.objects.put("fleets", fleet("a", 2))
        await until(lambda: it.sizes() == {"a": 2})
        assert it.lists() == 1
        assert it.changes == [("a", None, 1), ("a", 1, 2)]


async def test_watch_is_renewed_when_its_time_is_over(tmp_path: Path) -> None:
    async with following(tmp_path, watch_seconds=1, a=1) as it:
        await until(lambda: it.watches() == 2)
        assert (it.lists(), it.mirror.trouble) == (1, None)


async def test_deletions_are_noticed_when_the_version_is_no_longer_kept(tmp_path: Path) -> None:
    async with following(tmp_path, a=1, b=2, c=3) as it:
        await until(lambda: it.watches() == 1)
        it.server.frozen = True
        it.server.objects.remove("fleets", "agents", "b")
        it.server.objects.put("fleets", fleet("c", 4))
        it.server.objects.forget()
        it.server.frozen = False
        await until(lambda: it.sizes() == {"a": 1, "c": 4})
        assert it.lists() == 2
        assert set(it.changes[3:]) == {("b", 2, None), ("c", 3, 4)}


async def test_list_begins_anew_when_its_version_is_no_longer_kept(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        it.server.faults.append(Fault("list", "fleets", status=410))
        await until(lambda: it.mirror.synced)
        assert it.lists() == 2


async def test_watch_that_dies_silently_is_noticed(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await until(lambda: it.watches() == 1)
        it.server.frozen = True
        it.server.objects.put("fleets", fleet("a", 2))
        await until(lambda: it.watches() == 2)
        assert it.sizes() == {"a": 1}
        it.server.frozen = False
        await until(lambda: it.sizes() == {"a": 2})
        assert it.lists() == 1


async def test_age_grows_while_the_server_is_silent_and_shrinks_after(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        assert it.mirror.age_seconds() == float("inf")
        await it.mirror.settled()
        assert it.mirror.age_seconds() < 100
        await it.server.stop()
        await until(lambda: it.mirror.age_seconds() > 20)
        assert isinstance(it.mirror.trouble, ClusterError)
        assert it.sizes() == {"a": 1}
        await it.server.start()
        await until(lambda: it.mirror.trouble is None)
        assert it.lists() == 1


@pytest.mark.parametrize("status", [403, 500, 429])
async def test_list_is_tried_until_it_succeeds(tmp_path: Path, status: int) -> None:
    async with following(tmp_path, a=1) as it:
        it.server.faults.append(Fault("list", "fleets", times=4, status=status))
        await it.mirror.settled()
        assert (it.mirror.synced, str(it.mirror.trouble)) == (False, "broken on purpose")
        await until(lambda: it.mirror.synced)
        assert (it.sizes(), it.mirror.trouble) == ({"a": 1}, None)


async def test_error_within_the_stream_does_not_lose_what_is_known(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await until(lambda: it.watches() == 1)
        it.server.objects.announce("fleets", "ERROR", {"code": 500, "message": "etcd is tired"})
        await until(lambda: str(it.mirror.trouble) == "etcd is tired")
        assert it.sizes() == {"a": 1}
        it.server.objects.log.clear()
        await until(lambda: it.mirror.trouble is None)
        assert it.lists() == 1


async def test_watch_that_is_always_cut_is_not_opened_without_pause(tmp_path: Path) -> None:
    clock = NotingClock()
    async with following(tmp_path, clock=clock, a=1) as it:
        it.server.faults.append(Fault("watch", "fleets", times=-1, text='{"type": "?"'))
        await until(lambda: it.watches() == 6)
        # Each pause is between half of it and all of it: 0.5 s, 1 s, 2 s, ...
        pauses = zip(clock.slept[:5], (0.5, 1, 2, 4, 8), strict=True)
        assert all(longest / 2 <= slept <= longest for slept, longest in pauses)
        assert it.lists() == 1


async def test_answer_of_something_else_is_survived(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        it.server.faults.append(Fault("list", "fleets", text='{"login": "here"}'))
        await it.mirror.settled()
        assert "not an answer of an API server" in str(it.mirror.trouble)
        await until(lambda: it.sizes() == {"a": 1})


async def test_collection_that_does_not_exist_is_empty_and_looked_for_again(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await it.mirror.settled()
        served = it.server.served
        it.server.served = [one for one in served if one.plural != "fleets"]
        it.server.cut()
        await until(lambda: not it.sizes())
        assert (it.mirror.synced, type(it.mirror.trouble)) == (True, NotFoundError)
        it.server.served = served
        await until(lambda: it.sizes() == {"a": 1})


async def test_right_that_is_withdrawn_is_told_and_the_last_state_kept(tmp_path: Path) -> None:
    async with following(tmp_path, a=1) as it:
        await until(lambda: it.watches() == 1)
        it.server.faults.append(Fault("watch", "fleets", times=-1, status=403))
        it.server.cut()
        await until(lambda: isinstance(it.mirror.trouble, ForbiddenError))
        assert it.sizes() == {"a": 1}
