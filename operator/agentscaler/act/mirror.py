"""Keep a copy of one collection in step with the API server, whatever happens in between.

A list, then a watch from the version of that list. A watch that ends or breaks goes on from the
last version seen; only when the server no longer keeps that version is the collection listed anew,
and what vanished meanwhile is noticed by comparing. What is kept of an object is its reader's
choice: whole objects are held only of those that could not be read, until they are.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import Place
from agentscaler.act.throttle import Backoff
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError, ExpiredError, ForbiddenError, NotFoundError

logger: Final = logging.getLogger(__name__)

# A collection that does not exist (its CRD is not installed) is looked for again this often.
_ABSENT_SECONDS: Final = 60.0
# What nobody has confirmed for so long may have changed; a bookmark comes every minute.
_OLD_SECONDS: Final = 120.0
# How long to wait for a first list: longer than the longest pause before another try of it.
_FIRST_LIST_SECONDS: Final = 60.0
# Pauses before what could not be read is tried again: some may be refused for good.
_LATE_SECONDS: Final = (5.0, 300.0)
_LOOK_SECONDS: Final = 2.0  # for those whose pause is over
# A watch that ends sooner than this was cut, not finished: pause before the next.
_SHORT_SECONDS: Final = 1.0

T = TypeVar("T")
ObjectKey: TypeAlias = tuple[str, str]
"""Namespace and name."""


class Doubt(NamedTuple):
    """Why a copy may lack something; `passing` if that may be known soon."""

    why: ClusterError
    passing: bool


class _Late(NamedTuple):
    """An object that could not be read, why, and when it is to be tried again."""

    body: Body
    error: ClusterError
    pauses: Backoff
    due: float


_Lates: TypeAlias = dict[ObjectKey, _Late]


class Mirror(Generic[T]):
    """What `read` made of each object of the collection at `place`, while `run` runs.

    `read` may give None for an object that is of no interest. Of one for which it raises a
    ClusterError stays what was kept before, until `read_again`, which is to run too, has read it.
    `on_change` is told the key, what was kept before and what is kept now, whenever the two differ.
    """

    def __init__(
        self,
        api: Api,
        place: Place,
        *,
        read: Callable[[Body, T | None], Awaitable[T | None]],
        on_change: Callable[[ObjectKey, T | None, T | None], None],
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        self.place = place
        self.kept: dict[ObjectKey, T] = {}
        self.synced = False
        self.trouble: ClusterError | None = None
        self._api = api
        self._read = read
        self._on_change = on_change
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._version = ""
        self._heard_at = float("-inf")
        self._missed_since: float | None = None
        self._settled = asyncio.Event()
        self._late: _Lates = {}
        self._has_late = asyncio.Event()

    def find(self, key: ObjectKey) -> T | None:
        """Give what is kept of an object; raise its ClusterError if it was never read."""
        if key in self._late and key not in self.kept:
            raise again(self._late[key].error)
        return self.kept.get(key)

    async def settled(self) -> None:
        """Wait until the first attempt to list has come to an end, good or bad."""
        await self._settled.wait()

    def age_seconds(self) -> float:
        """Tell how long ago the server last confirmed this copy; infinite before the first list."""
        return self._clock.monotonic() - self._heard_at

    def doubt(self) -> Doubt | None:
        """Tell why this copy may lack something by now; None if nothing speaks for that.

        It is passing until a first list had time to succeed, counted from when it was first asked
        for: a right that is withdrawn for good must not be waited for. While the API server is
        away, nothing can come about in it that counts.
        """
        if isinstance(self.trouble, NotFoundError):
            return None  # of what is not installed there is nothing
        if self.synced:
            if isinstance(self.trouble, ForbiddenError) and self.age_seconds() > _OLD_SECONDS:
                return Doubt(self.trouble, passing=False)
            return None
        now = self._clock.monotonic()
        self._missed_since = now if self._missed_since is None else self._missed_since
        why = self.trouble or ClusterError(f"{self.place.what}: not listed yet")
        return Doubt(why, passing=now - self._missed_since < _FIRST_LIST_SECONDS)

    async def run(self) -> None:
        """Follow the collection until cancelled."""
        while True:
            await self._clock.sleep(await self._attempt())

    async def read_again(self) -> None:
        """Read what could not be read before, until cancelled."""
        while True:
            await self._has_late.wait()
            await self._clock.sleep(_LOOK_SECONDS)
            for key, late in tuple(self._late.items()):
                if self._clock.monotonic() >= late.due:
                    await self._read_late(key, late)
            if not self._late:
                self._has_late.clear()

    async def _read_late(self, key: ObjectKey, late: _Late) -> None:
        found: _Lates = {}
        after = await self._kept_of(late.body, self.kept.get(key), found, late.pauses)
        if self._late.get(key) is not late:
            return  # there is a newer version
        if found:
            self._late.update(found)
        else:
            del self._late[key]
            self._keep(key, after)

    async def _attempt(self) -> float:
        """List if need be, then watch until that ends; tell the seconds to wait before the next."""
        try:
            if not self._version:
                await self._list()
            return await self._watch()
        except NotFoundError as exc:
            self._replace({}, {}, "")
            self._heard_at = self._clock.monotonic()  # that there is nothing was told, too
            self._note(exc)
            return _ABSENT_SECONDS
        except ExpiredError:
            self._version = ""
        except ClusterError as exc:
            self._note(exc)
        except (KeyError, TypeError) as exc:
            self._note(ClusterError(f"not an answer of an API server: {exc!r}"))
        return self._backoff.next_seconds()

    def _note(self, trouble: ClusterError) -> None:
        if str(trouble) != str(self.trouble):
            # What is not installed, such as KEDA, is no trouble.
            level = logging.INFO if isinstance(trouble, NotFoundError) else logging.WARNING
            logger.log(level, "following %s: %s", self.place.path, trouble)
        self.trouble = trouble
        self._settled.set()

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self.trouble = None
        self._settled.set()

    async def _list(self) -> None:
        listed: dict[ObjectKey, T] = {}
        late: _Lates = {}
        version = ""
        async for page in self._api.list_pages(self.place):
            version = page["metadata"]["resourceVersion"]
            for body in page["items"] or ():
                key = _key(body)
                kept = await self._kept_of(body, self.kept.get(key), late)
                if kept is not None:
                    listed[key] = kept
        # What could not be read for the list may have been read since.
        listed |= {key: self.kept[key] for key in late.keys() & self.kept.keys()}
        self._replace(listed, late, version)
        self._heard()

    def _replace(self, listed: dict[ObjectKey, T], late: _Lates, version: str) -> None:
        before, self.kept = self.kept, listed
        self._late.clear()
        self._note_late(late)
        self._version, self.synced = version, True
        for key in before.keys() | listed.keys():
            if before.get(key) != listed.get(key):
                self._on_change(key, before.get(key), listed.get(key))

    async def _watch(self) -> float:
        began = self._clock.monotonic()
        async with self._api.watch(self.place, self._version) as events:
            self._heard()
            async for event in events:
                await self._apply(event["type"], event["object"])
                self._heard()
                self._backoff.reset()
        if self._clock.monotonic() - began < _SHORT_SECONDS:
            return self._backoff.next_seconds()
        self._backoff.reset()
        return 0.0

    async def _apply(self, kind: str, body: Body) -> None:
        if kind == "ERROR":
            said = str(body.get("message", body))
            raise ExpiredError(said) if body.get("code") == HTTPStatus.GONE else ClusterError(said)
        if kind != "BOOKMARK":
            await self._update(_key(body), None if kind == "DELETED" else body)
        self._version = body["metadata"]["resourceVersion"]

    def _note_late(self, late: _Lates) -> None:
        self._late.update(late)
        if self._late:
            self._has_late.set()

    async def _kept_of(
        self, body: Body, before: T | None, late: _Lates, pauses: Backoff | None = None
    ) -> T | None:
        try:
            return await self._read(body, before)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            # Anybody may fill a custom resource with nonsense; the others must not suffer.
            logger.warning("ignoring %s %s: %r", self.place.what, _key(body), exc)
            return None
        except ClusterError as exc:
            # One object whose scale cannot be read must not hold up all others of its kind.
            logger.warning("not readable: %s %s: %s", self.place.what, _key(body), exc)
            pauses = pauses or Backoff(*_LATE_SECONDS)
            due = self._clock.monotonic() + pauses.next_seconds()
            late[_key(body)] = _Late(body, exc, pauses, due)
            return before

    async def _update(self, key: ObjectKey, body: Body | None) -> None:
        late: _Lates = {}
        before = self.kept.get(key)
        after = None if body is None else await self._kept_of(body, before, late)
        self._late.pop(key, None)  # not before: nobody is to find it absent meanwhile
        self._note_late(late)
        self._keep(key, self.kept.get(key) if late else after)

    def _keep(self, key: ObjectKey, after: T | None) -> None:
        before = self.kept.get(key)
        if after is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = after
        if before != after:
            self._on_change(key, before, after)


def again(error: ClusterError) -> ClusterError:
    """Give a kept error anew: itself would gather one more traceback each time it is raised."""
    return type(error)(str(error))


def _key(body: Body) -> ObjectKey:
    metadata = body["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
