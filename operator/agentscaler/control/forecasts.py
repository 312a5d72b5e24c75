"""The forecasts of all policies: fed by every pass, begun from the history that Prometheus has."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from agentscaler.api.policy import Policy, PredictionMode, ScaleTargetRef
from agentscaler.api.signals import Signals
from agentscaler.clock import Clock
from agentscaler.forecast import rows
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.outlook import Outlook
from agentscaler.forecast.rhythm import Rhythm
from agentscaler.forecast.rows import Shape
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.recorded import Recorder, Series
from agentscaler.observe.sources import SecretKey
from agentscaler.report import logs

_AT_ONCE: Final = 200  # policies; 8 days of minutes of that many are 40 MB while they are read
_TRIES: Final = 5
_MOST_SEASONS: Final = 8  # older ones weigh next to nothing
_PAUSE_SECONDS: Final = 60.0
_LOG: Final = logs.logger("agentscaler.forecasts")

Secrets = Callable[[], Mapping[SecretKey, Credentials]]


class _Row(NamedTuple):
    """A row of the bank, what it is made for, and whose load it holds."""

    handle: int
    shape: Shape
    target: ScaleTargetRef
    signals: Signals

    def suits(self, policy: Policy) -> bool:
        """Tell whether the policy, as it is now, goes on with this row."""
        spec = policy.spec
        return (self.shape, self.target, self.signals) == (
            rows.shape_of(spec),
            spec.scale_target_ref,
            spec.signals,
        )


class _Stretch(NamedTuple):
    """The part of the past that is read for a policy, and how finely."""

    span: timedelta
    step: timedelta


class Forecasts:
    """One row of the bank for each policy that wants a forecast.

    Histories are worked in by a thread, meanwhile the bank is left alone: new samples wait, and
    the outlook of before is given again.
    """

    def __init__(self, recorder: Recorder, secrets: Secrets, clock: Clock) -> None:
        self._recorder = recorder
        self._secrets = secrets
        self._clock = clock
        self._bank = Bank()
        self._rows: dict[str, _Row] = {}
        self._outlooks: dict[str, Outlook] = {}
        self._without_history: dict[str, Policy] = {}
        self._tries: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._is_busy = False
        self._left: list[int] = []
        self._waiting: list[tuple[datetime, Mapping[str, float]]] = []

    def feed(self, policies: Iterable[Policy], now: datetime, loads: Mapping[str, float]) -> None:
        """Take in what a pass saw; a forecast that fails raises no count, and stops no pass."""
        try:
            self.follow(*policies)
            self.note(now, loads)
        except Exception as exc:  # noqa: BLE001 - a defect; decisions do without forecasts
            _LOG.error("forecasts not fed", exc_info=exc)

    def follow(self, *policies: Policy) -> None:
        """Have a row for each policy, of the shape and of the load that its spec names."""
        if self._is_busy:
            return
        new = [policy for policy in policies if not self._is_followed(policy)]
        for policy in new:
            self.forget(policy.key)
        wanted = [each for each in new if each.spec.prediction.mode is not PredictionMode.OFF]
        shapes = Counter(rows.shape_of(policy.spec) for policy in wanted)
        for shape, count in shapes.items():
            rows.reserve(self._bank, shape, count)
        for policy in wanted:
            self._open(policy)

    def _is_followed(self, policy: Policy) -> bool:
        known = self._rows.get(policy.key)
        return known is not None and known.suits(policy)

    def _open(self, policy: Policy) -> None:
        spec, shape = policy.spec, rows.shape_of(policy.spec)
        handle = rows.open_row(self._bank, shape)
        self._rows[policy.key] = _Row(handle, shape, spec.scale_target_ref, spec.signals)
        self._without_history[policy.key] = policy
        self._wanted.set()

    def forget(self, key: str) -> None:
        """Drop a policy that is gone or wants no forecast."""
        self._without_history.pop(key, None)
        self._tries.pop(key, None)
        self._outlooks.pop(key, None)
        if key in self._rows:
            self._left.append(self._rows.pop(key).handle)
            self._clear_out()

    def note(self, now: datetime, loads: Mapping[str, float]) -> None:
        """Take the loads of policies, in slots; one that is not named is unknown."""
        if self._is_busy:
            self._waiting.append((now, loads))
            return
        self._begin_anew(self._bank.drop_left_behind(now))
        known = [(self._rows[key].handle, load) for key, load in loads.items() if key in self._rows]
        self._bank.observe(now, [row for row, _ in known], [load for _, load in known])

    def _begin_anew(self, lost: Set[int]) -> None:
        """Drop the rows that the bank lost; their next pass opens them, and has a history read."""
        keys = [key for key, row in self._rows.items() if row.handle in lost] if lost else ()
        for key in keys:
            del self._rows[key]
            self.forget(key)
        if keys:
            _LOG.warning("the clock jumped: forecasts begin from their histories", rows=len(keys))

    def outlook(self, policy: Policy, now: datetime, lead: timedelta | None) -> Outlook | None:
        """Tell what to expect when a replica asked for now would be ready."""
        known = self._rows.get(policy.key)
        if known is None or policy.spec.prediction.mode is PredictionMode.OFF:
            return None
        if not self._is_busy:
            ahead = rows.lookahead(policy.spec, lead)
            self._outlooks[policy.key] = self._bank.outlook(known.handle, now, ahead)
        return self._outlooks.get(policy.key)

    async def fill(self) -> None:
        """Read histories as they are wanted, until cancelled; what fails is tried again later."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._ask_for_each()
            if self._without_history:
                await self._clock.sleep(_PAUSE_SECONDS)
                self._wanted.set()

    async def _ask_for_each(self) -> None:
        """Read the history of each policy once, also of those that come meanwhile.

        A namespace has its turn after those that had fewer: another history for each policy, and a
        slow query in it, would keep all others waiting for hours.
        """
        asked, turns = set[str](), Counter[str]()
        while waiting := [one for key, one in self._without_history.items() if key not in asked]:
            batch = _next_batch(waiting, turns)
            asked.update(policy.key for policy in batch)
            turns.update({policy.namespace for policy in batch})
            try:
                await self._fill(batch)
            except Exception as exc:  # noqa: BLE001 - later batches must not go without theirs
                _LOG.error("histories not worked in", exc_info=exc)
                self._count_tries(batch, {})

    async def _fill(self, batch: list[Policy]) -> None:
        now = self._clock.now()
        asked_for = {policy.key: self._rows.get(policy.key) for policy in batch}
        stretch = _stretch_of(batch[0])
        found = await self._recorder.fetch_history(
            batch, now=now, span=stretch.span, step=stretch.step, secrets=self._secrets()
        )
        # A policy that went, or has another row since, has no use for this history.
        same = [policy for policy in batch if self._rows.get(policy.key) is asked_for[policy.key]]
        self._count_tries(same, found)
        handles = {
            policy.key: known.handle
            for policy in same
            if policy.key in found and (known := self._rows.get(policy.key)) is not None
        }
        if handles:
            await self._work_in(handles, found, now)

    def _count_tries(self, batch: list[Policy], found: Mapping[str, Series]) -> None:
        for policy in batch:
            if self._without_history.get(policy.key) is not policy:
                continue  # gone, or followed anew since
            tries = self._tries.pop(policy.key, 0) + 1
            if policy.key in found or tries >= _TRIES:
                self._without_history.pop(policy.key, None)
            else:
                self._tries[policy.key] = tries

    def _clear_out(self) -> None:
        """Give back the rows that nobody uses any more."""
        while self._left and not self._is_busy:
            self._bank.remove(self._left.pop())

    async def _work_in(
        self, handles: Mapping[str, int], found: Mapping[str, Series], now: datetime
    ) -> None:
        times = next(iter(found.values())).times
        loads = np.stack([found[key].loads for key in handles])
        self._is_busy = True
        try:
            await asyncio.to_thread(
                self._bank.backfill, list(handles.values()), times, loads, now=now
            )
        finally:
            self._is_busy = False
            self._clear_out()
            for at, waiting in self._waiting:
                self.note(at, waiting)
            self._waiting.clear()


def _next_batch(waiting: Iterable[Policy], turns: Mapping[str, int]) -> list[Policy]:
    """Give the policies to be asked for next: of a namespace that had the fewest turns."""
    batches = _batches(waiting)
    return min(batches, key=lambda batch: min(turns[policy.namespace] for policy in batch))


def _batches(policies: Iterable[Policy]) -> Iterator[list[Policy]]:
    """Give policies that want the same stretch of time, some at a time."""
    alike: defaultdict[_Stretch, list[Policy]] = defaultdict(list)
    for policy in policies:
        alike[_stretch_of(policy)].append(policy)
    for group in alike.values():
        for first in range(0, len(group), _AT_ONCE):
            yield group[first : first + _AT_ONCE]


def _stretch_of(policy: Policy) -> _Stretch:
    prediction = policy.spec.prediction
    return _stretch(prediction.season, prediction.history, policy.spec.polling_interval)


@lru_cache(maxsize=1024)  # before each batch, all that wait are looked at
def _stretch(season: timedelta, history: timedelta, polling: timedelta) -> _Stretch:
    span = min(history, _MOST_SEASONS * season)
    return _Stretch(span, Rhythm.of(season, polling).bucket)
