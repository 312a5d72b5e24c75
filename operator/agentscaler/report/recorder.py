"""Which Events are sent, and when: none twice, repeats counted, floods cut off.

25 Events at once and then one in 15 seconds for each object, and 20 a second for all together. All
memory is bounded.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from agentscaler.report import events
from agentscaler.report.events import Notice

_OBJECT_BURST: Final = 25
_OBJECT_RATE: Final = 1 / 15  # a second: a busy policy scales more often than others have news
_GLOBAL_BURST: Final = 20
_GLOBAL_RATE: Final = 20.0  # a second
_LIFETIME: Final = timedelta(hours=1)  # of an Event in the API server
_REMEMBERED: Final = 4096
_WAITING: Final = 1000

OBJECT_LIMIT: Final = "object-limit"
QUEUE_FULL: Final = "queue-full"

Body: TypeAlias = dict[str, Any]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Recent(OrderedDict[_Key, _Value]):
    """A map that forgets what was not used for longest."""

    def use(self, key: _Key) -> _Value | None:
        """Give the value of a key, which counts as using it."""
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

    def keep(self, key: _Key, value: _Value) -> _Value:
        """Keep a value; the oldest goes when there are too many."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)
        return value


class _Bucket:
    """Tokens that are spent at once and come back at a steady rate."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst = float(burst)
        self._rate = rate
        self._tokens = self._burst
        self._filled: datetime | None = None

    def spend(self, now: datetime) -> bool:
        """Take a token, if there is one."""
        passed = 0.0 if self._filled is None else (now - self._filled).total_seconds()
        self._tokens = min(self._burst, self._tokens + max(0.0, passed) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def refund(self, count: int) -> None:
        """Take tokens back that were spent for nothing."""
        self._tokens = min(self._burst, self._tokens + count)


@dataclass(slots=True)
class _Tale:
    """What was told before in the same words: the Event that carries it, and how often."""

    name: str
    first: datetime
    last: datetime
    count: int = 1


class Recorder:
    """Takes notices, hands out what to send; the time is an argument."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._told: _Recent[str, bool] = _Recent()
        self._tales: _Recent[tuple[str, ...], _Tale] = _Recent()
        self._budgets: _Recent[str, _Bucket] = _Recent()
        self._together = _Bucket(_GLOBAL_BURST, _GLOBAL_RATE)
        self._waiting: deque[Body] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, notices: Iterable[Notice], now: datetime) -> Counter[str]:
        """Take notices in; give how many were dropped, by cause."""
        dropped: Counter[str] = Counter()
        for notice in notices:
            if self._told.use(notice.name):
                continue
            if cause := self._refusal(notice, now):
                dropped[cause] += 1
                continue
            self._told.keep(notice.name, True)
            self._waiting.append(self._body(notice))
        return dropped

    def take(self, now: datetime) -> list[Body]:
        """Hand out the Events that may be sent now; a repeat has the name of the first."""
        taken = []
        while self._waiting and self._together.spend(now):
            taken.append(self._waiting.popleft())
        return taken

    def put_back(self, untold: Sequence[Body]) -> None:
        """Take Events back that were handed out and not sent; they are the next to be."""
        self._waiting.extendleft(reversed(untold))
        self._together.refund(len(untold))

    def _refusal(self, notice: Notice, now: datetime) -> str:
        if len(self._waiting) >= _WAITING:
            return QUEUE_FULL
        uid = notice.about.uid
        budget = self._budgets.use(uid)
        if budget is None:
            budget = self._budgets.keep(uid, _Bucket(_OBJECT_BURST, _OBJECT_RATE))
        return "" if budget.spend(now) else OBJECT_LIMIT

    def _body(self, notice: Notice) -> Body:
        words = (notice.about.uid, notice.type, notice.reason, notice.message)
        tale = self._tales.use(words)
        if tale is None or notice.at - tale.last >= _LIFETIME:
            tale = self._tales.keep(words, _Tale(notice.name, notice.at, notice.at))
        else:
            tale.count += 1
            tale.last = notice.at
        return events.render(
            notice, name=tale.name, instance=self._instance, first=tale.first, count=tale.count
        )
