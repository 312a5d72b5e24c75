"""Sessions: loaded before the work, saved after it if it succeeded, never mixed up."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.runtime import state
from agentscaler.runtime.asgi import Receive, Scope, Send
from agentscaler.runtime.errors import (
    InvalidSessionError,
    OverloadedError,
    StateConflictError,
    StateTooLargeError,
    StateUnavailableError,
)
from agentscaler.runtime.sessions import Sessions
from agentscaler.runtime.state import NEW, NOTHING, MemoryStateStore
from tests.unit.runtime.worlds import ManualClock, World, settle


def sessions(**options: Any) -> Sessions:
    return Sessions(MemoryStateStore(clock=ManualClock()), **options)


async def test_state_is_there_for_the_next_request() -> None:
    kept = sessions()
    async with kept.open("ada") as session:
        assert session.is_new
        session.data["turns"] = 1
    assert not session.is_new
    async with kept.open("ada") as session:
        assert session.data == {"turns": 1}
    async with kept.open("bob") as session:
        assert session.data == {}


async def test_state_is_not_saved_when_the_work_fails() -> None:
    kept = sessions()

    async def fail() -> None:
        async with kept.open("ada") as session:
            session.data["turns"] = 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with kept.open("ada") as session:
        assert session.data == {}


async def test_state_is_not_saved_when_the_work_is_cancelled() -> None:
    kept = sessions()

    async def work() -> None:
        async with kept.open("ada") as session:
            session.data["turns"] = 1
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await settle()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    async with kept.open("ada") as session:
        assert session.data == {}


async def test_second_of_two_savers_gets_a_conflict_and_no_update_is_lost() -> None:
    kept = sessions()

    async def slow() -> None:
        async with kept.open("ada") as session:
            session.data["by"] = "slow"
            async with kept.open("ada") as quick:
                quick.data["by"] = "quick"

    with pytest.raises(StateConflictError, match="'ada' changed"):
        await slow()
    async with kept.open("ada") as session:
        assert session.data == {"by": "quick"}


async def test_reading_alone_never_conflicts_and_saves_nothing() -> None:
    kept = sessions()
    async with kept.open("ada") as reader:
        async with kept.open("ada") as writer:
            writer.data["turns"] = 1
        assert reader.data == {}
    async with kept.open("new") as untouched:
        pass
    assert untouched.is_new


async def test_save_of_a_session_that_was_forgotten_and_began_anew_conflicts() -> None:
    store = MemoryStateStore(clock=ManualClock())
    first = await store.save("ada", b"1", read=NEW)
    await store.delete("ada")
    await store.save("ada", b"other", read=NEW)
    with pytest.raises(StateConflictError):
        await store.save("ada", b"2", read=first)


async def test_forgotten_session_conflicts_for_work_under_way() -> None:
    kept = sessions()
    async with kept.open("ada") as session:
        session.data["turns"] = 1

    async def work_while_it_is_forgotten() -> None:
        async with kept.open("ada") as session:
            session.data["turns"] = 2
            await kept.forget("ada")

    with pytest.raises(StateConflictError):
        await work_while_it_is_forgotten()


async def test_session_expires_after_its_time_and_lives_anew_when_used() -> None:
    clock = ManualClock()
    store = MemoryStateStore(ttl_seconds=60, clock=clock)
    await store.save("ada", b"{}", read=NEW)
    for _ in range(3):
        clock.advance(59)
        assert (await store.load("ada")).payload == b"{}"
    clock.advance(61)
    assert await store.load("ada") == NOTHING


async def test_memory_forgets_the_longest_idle_beyond_its_bound() -> None:
    store = MemoryStateStore(max_sessions=2, clock=ManualClock())
    for name in ("old", "older"):
        await store.save(name, b"{}", read=NEW)
    await store.load("old")
    await store.save("young", b"{}", read=NEW)
    assert await store.load("older") == NOTHING
    assert (await store.load("old")).payload == b"{}"


async def test_state_beyond_its_limit_is_refused_and_the_old_one_stays() -> None:
    kept = sessions(max_bytes=30)
    async with kept.open("ada") as session:
        session.data["turns"] = 1
    with pytest.raises(StateTooLargeError, match="exceeds its 30"):
        async with kept.open("ada") as session:
            session.data["log"] = "x" * 100
    async with kept.open("ada") as session:
        assert session.data == {"turns": 1}


@pytest.mark.parametrize("held", [b"not json", b"[1]", b"\xff"])
def test_foreign_content_is_told_apart_from_state(held: bytes) -> None:
    with pytest.raises(StateUnavailableError, match="no state of ours"):
        state.decode(held)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_state_reads_back_as_it_was_written(data: dict[str, Any]) -> None:
    assert state.decode(state.encode(data, 10**6)) == data


@pytest.mark.parametrize("name", ["", "a b", "a\n", "ä", "x" * 129])
async def test_unusable_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidSessionError, match="visible ASCII"):
        async with sessions().open(name):
            pass


async def test_ordered_sessions_run_one_after_the_other_and_lose_nothing() -> None:
    kept = sessions(ordered=True)

    async def turn() -> None:
        async with kept.open("ada") as session:
            await asyncio.sleep(0)
            session.data["turns"] = session.data.get("turns", 0) + 1

    await asyncio.gather(*(turn() for _ in range(20)))
    async with kept.open("ada") as session:
        assert session.data == {"turns": 20}


async def test_ordering_holds_no_memory_and_does_not_hold_up_other_sessions() -> None:
    kept = sessions(ordered=True)
    async with kept.open("ada"):
        waiting = asyncio.create_task(kept.open("ada").__aenter__())
        async with asyncio.timeout(1), kept.open("bob"):
            pass
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert kept._turns is not None
    assert kept._turns._locks == {}


class Counting:
    """An application that counts the turns of the session that a request names."""

    def __init__(self, kept: Sessions) -> None:
        self.kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.kept.of(scope) as session:
            session.data["turns"] = session.data.get("turns", 0) + 1
        body = str(session.data["turns"]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def test_handler_gets_its_session_by_header() -> None:
    world = World(Counting(sessions()))
    named = [(b"x-session-id", b"ada")]
    assert (await world.client(headers=named).ask()).body == b"1"
    assert (await world.client(headers=named).ask()).body == b"2"


async def test_request_without_a_session_is_told_what_is_missing() -> None:
    world = World(Counting(sessions(header="X-Conversation")))
    answer = await world.client().ask()
    assert answer.status == 400
    assert b"x-conversation" in answer.body
    assert world.ended("ok") == 1


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (StateConflictError("load again"), 409, "ok"),
        (StateTooLargeError("too large"), 413, "ok"),
        (StateUnavailableError("no store"), 503, "error"),
        (OverloadedError("no connection"), 503, "error"),
    ],
    ids=["conflict", "too large", "unavailable", "overloaded"],
)
async def test_our_errors_become_answers_that_a_caller_can_act_on(
    error: Exception, status: int, outcome: str
) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    world = World(failing)
    answer = await world.client().ask()
    assert answer.status == status
    assert str(error).encode() in answer.body
    assert ("retry-after" in answer.headers) == (status == 503)
    assert world.ended(outcome) == 1


async def test_error_after_the_answer_began_is_not_answered_twice() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise StateConflictError("too late")

    client = World(failing).client()
    with pytest.raises(StateConflictError):
        await client.ask()
    assert len(client.sent) == 1
