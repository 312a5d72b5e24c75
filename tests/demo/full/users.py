"""Users with sessions: each asks, reads the stream, thinks, asks again; and keeps the agent honest.

Every answer tells the session's turn and topic, so a lost turn or another session's state shows.
"""

import asyncio
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.bed import BedError

THINK_SECONDS = (0.5, 1.5)
TURNS = (3, 7)
TOPICS = ("queues", "caches", "models")
TIMEOUT_SECONDS = 60
LOOK_SECONDS = 0.2


class FailedRequestError(Exception):
    """A question got no answer; the text says why."""


@dataclass
class Tally:
    """What the users have seen, as seconds and counts."""

    waits: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    looked_at: int = 0
    waiting: int = 0
    answering: int = 0
    lost: int = 0
    mixed: int = 0

    @property
    def requests(self) -> int:
        """All that ended."""
        return len(self.waits) + self.failures.total()

    def attainment(self, target: float) -> float:
        """Give the share of all requests whose work began within `target` seconds."""
        return sum(each <= target for each in self.waits) / max(1, self.requests)


class Users:
    """As many users as `wanted` says, in a thread of its own; a context manager."""

    def __init__(self, url: str, wanted: Callable[[], int]) -> None:
        self.tally = Tally()
        self._url = url
        self._wanted = wanted
        self._chance = random.Random(2026)  # noqa: S311 - a load, no secrets
        self._names = itertools.count(1)
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Users":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Begin nothing more, and wait until all questions are answered.

        Fail if the users themselves did: without load no figure would mean anything.
        """
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise BedError(f"the users failed: {self._failure!r}") from self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception as exc:  # noqa: BLE001 - told by finish, in the thread that waits
            self._failure = exc

    async def _live(self) -> None:
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False) as http,
            asyncio.TaskGroup() as group,
        ):
            present = 0
            while not self._stop.is_set():
                while present < self._wanted():
                    group.create_task(self._use(http, present))
                    present += 1
                present = min(present, self._wanted())
                await asyncio.sleep(LOOK_SECONDS)

    async def _use(self, http: httpx.AsyncClient, number: int) -> None:
        """Be the user of that number, one session after the other, while so many are wanted."""
        while self._stays(number):
            session = Session(f"user-{number}-session-{next(self._names)}", self._chance)
            self.tally.sessions += 1
            for _ in range(self._chance.randint(*TURNS)):
                if not self._stays(number):
                    break
                await session.ask(http, self._url, self.tally)
                await asyncio.sleep(self._chance.uniform(*THINK_SECONDS))
            await session.leave(http, self._url, self.tally)

    def _stays(self, number: int) -> bool:
        return number < self._wanted() and not self._stop.is_set()


class Session:
    """One session, and what its user knows of it."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.topic = f"{chance.choice(TOPICS)} of {name}"
        self.turns = 0
        self._working = False
        self.unsure = 0  # questions that failed: their turns may have been kept

    async def ask(self, http: httpx.AsyncClient, url: str, tally: Tally) -> None:
        """Ask once, and note how it went."""
        begun = time.monotonic()
        self._working = False
        tally.waiting += 1
        try:
            wait, done = await self._converse(http, url, tally)
        except (FailedRequestError, httpx.HTTPError) as exc:
            tally.failures[str(exc) or type(exc).__name__] += 1
            self.unsure += 1
            return
        finally:
            tally.answering -= self._working
            tally.waiting -= not self._working
        tally.waits.append(wait)
        tally.durations.append(time.monotonic() - begun)
        self.check(done, tally)

    async def leave(self, http: httpx.AsyncClient, url: str, tally: Tally) -> None:
        """Look once more at what is stored: no later answer would tell of the last turn."""
        if not self.turns:
            return  # nothing was told to be kept
        try:
            address = httpx.URL(url).join("/session")
            answer = await http.get(address, headers={"x-session-id": self.name})
            answer.raise_for_status()
        except httpx.HTTPError as exc:
            tally.failures[f"at the end of a session: {str(exc) or type(exc).__name__}"] += 1
            return
        self.check_kept(answer.json(), tally)

    def check_kept(self, kept: dict[str, Any], tally: Tally) -> None:
        """Compare what is stored with what the user was told."""
        turn = int(kept["turn"])
        tally.looked_at += 1
        tally.lost += turn < self.turns
        tally.mixed += turn > self.turns + self.unsure
        tally.mixed += turn >= self.turns and kept["topic"] != self.topic

    def check(self, done: dict[str, Any], tally: Tally) -> None:
        """Compare what an answer tells of the session with what its user knows."""
        turn = int(done["turn"])
        tally.lost += turn <= self.turns
        tally.mixed += done["topic"] != self.topic or turn > self.turns + self.unsure + 1
        self.turns, self.unsure = turn, 0

    def _begin(self, tally: Tally) -> None:
        if not self._working:
            self._working = True
            tally.waiting -= 1
            tally.answering += 1

    async def _converse(
        self, http: httpx.AsyncClient, url: str, tally: Tally
    ) -> tuple[float, dict[str, Any]]:
        """Give the seconds until the work began, and the last event."""
        begun, wait = time.monotonic(), 0.0
        question = {"text": f"question {self.turns + 1}", "topic": self.topic}
        asked = http.stream("POST", url, json=question, headers={"x-session-id": self.name})
        async with asked as response:
            if not response.is_success:
                reason = (await response.aread()).decode(errors="replace")
                raise FailedRequestError(f"{response.status_code}: {reason}")
            name = ""
            async for line in response.aiter_lines():
                kind, _, content = line.partition(": ")
                if kind == "event":
                    name = content
                elif kind == "data" and name == "started":
                    wait = time.monotonic() - begun
                    self._begin(tally)
                elif kind == "data" and name == "done":
                    return wait, json.loads(content)
                elif kind == "data" and name == "error":
                    raise FailedRequestError(json.loads(content)["reason"])
        raise FailedRequestError("the answer was cut off")
