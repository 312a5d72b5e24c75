"""What happened to one agent: the requests that came, the replicas there were, and the gaps.

A past is made from a trace file or from what Prometheus recorded. Prometheus keeps counts and
means, no requests, so those are drawn anew: as many in each step, with the mean time of service of
that step. The remarks say what was measured and what had to be assumed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, isnan
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agentscaler.errors import UsageError
from agentscaler.simulate import traces
from agentscaler.simulate.workload import STEPS, Bucket, Lognormal, Request, chance, spread

Doubles = NDArray[np.float64]

MONDAY: Final = 978_307_200.0
"""A Monday, 0:00 UTC (the first of 2001): where a trace without a date begins."""
MINUTE: Final = 60.0
UNKNOWN_SERVICE: Final = 15.0
"""Seconds of service where nothing tells: two and a half steps of six seconds."""
USUAL_START: Final = 30.0
"""Median seconds of a start where nothing tells."""
_FEWEST_STARTS: Final = 5.0
_MEDIAN_OF_MEAN: Final = 0.915  # of a lognormal whose 95th percentile is twice its median
_SMOOTHED: Final = 3600.0
_NOTHING: Final = np.empty(0)


@dataclass(frozen=True, slots=True)
class Past:
    """Requests in the order of time, from `start` to `end`, in seconds since the epoch.

    `gaps` are the spans in which nothing was recorded, `replicas` the counts that were asked for,
    each with the moment from which it held, `further` the readings of custom metrics and gates by
    their names for the pilot, minute by minute. `times` and `loads` tell the requests in service
    and waiting, from long before `start` until `end`.
    """

    start: float
    end: float
    at: Doubles
    work: Doubles
    slots: int
    start_up: float
    replicas: tuple[tuple[float, int], ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    further: Mapping[str, Doubles] = field(default_factory=dict)
    times: Doubles = field(default_factory=lambda: _NOTHING)
    loads: Doubles = field(default_factory=lambda: _NOTHING)
    remarks: tuple[str, ...] = ()

    def requests(self) -> Iterator[Request]:
        """Give the requests one by one."""
        return map(Request, self.at.tolist(), self.work.tolist())

    def history(self) -> tuple[Doubles, Doubles]:
        """Give the times and loads before the start: what a forecast may know."""
        before = self.times < self.start
        return self.times[before], self.loads[before]

    def cut(self, start: float, end: float) -> "Past":
        """Give the part between two moments; what was before it becomes history."""
        inside = (self.at >= start) & (self.at < end)
        passed = [count for at, count in self.replicas if at <= start]
        within = [change for change in self.replicas if start < change[0] < end]
        skipped = int((start - self.start) // MINUTE)
        return replace(
            self,
            start=start,
            end=end,
            at=self.at[inside],
            work=self.work[inside],
            replicas=(*((start, count) for count in passed[-1:]), *within),
            gaps=tuple(
                (max(start, first), min(end, last))
                for first, last in self.gaps
                if first < end and last > start
            ),
            further={name: row[skipped:] for name, row in self.further.items()},
        )

    def readings(self, at: float) -> dict[str, float | None]:
        """Give what custom metrics and gates read at a moment."""
        step = int((at - self.start) // MINUTE)
        return {
            name: None if isnan(value := float(row[min(step, len(row) - 1)])) else value
            for name, row in self.further.items()
        }

    def is_gap(self, at: float) -> bool:
        """Tell whether nothing was recorded at a moment."""
        return any(start <= at < end for start, end in self.gaps)

    @property
    def unknown_share(self) -> float:
        """Tell the share of the time of which nothing was recorded."""
        return sum(end - start for start, end in self.gaps) / (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Recording:
    """What Prometheus kept: numbers for even steps of `step` seconds from `start` on, NaN if none.

    Rates are per second, `active`, `queued` and the counts of replicas are means over the step.
    Whatever was not recorded at all is all NaN.
    """

    start: float
    step: float
    active: Doubles
    queued: Doubles
    arriving: Doubles
    ending: Doubles
    capacity: Doubles
    asked: Doubles
    ready: Doubles
    further: Mapping[str, Doubles] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """Tell where the last step ends."""
        return self.start + self.step * len(self.active)

    @property
    def load(self) -> Doubles:
        """Give the requests in service and waiting."""
        return np.where(np.isnan(self.active), 0.0, self.active) + self.queued


def of_trace(path: Path, *, slots: int, start: float = MONDAY, start_up: float, seed: int) -> Past:
    """Take a trace file for the past; raise UsageError if it has no requests."""
    found = list(traces.read_trace(path, chance("past", seed)))
    if not found:
        raise UsageError(f"{path} has no requests")
    at, work = np.array([(start + each.at, each.work) for each in found]).T
    end = start + ceil((float(at[-1]) - start) / MINUTE) * MINUTE
    times = start + MINUTE * _middles(round((end - start) / MINUTE))
    return Past(
        start=start,
        end=end,
        at=at,
        work=work,
        times=times,
        loads=_busy(at, work, times),
        slots=slots,
        start_up=start_up,
        remarks=(f"requests and their times of service are those of {path.name}",),
    )


def _middles(count: int) -> Doubles:
    return np.arange(count, dtype=np.float64) + 0.5


def _busy(at: Doubles, work: Doubles, times: Doubles) -> Doubles:
    """Tell the requests in service at each time, had none ever waited."""
    begun = np.searchsorted(at, times, side="right")
    ended = np.searchsorted(np.sort(at + work), times, side="right")
    return (begun - ended).astype(np.float64)


def of_recording(
    seen: Recording, *, slots: int | None, service: float | None, start_up: float | None, seed: int
) -> Past:
    """Draw the requests of a recording; what is given beats what was measured.

    Raise UsageError where the load was not recorded, or the slots of a replica are unknown.
    """
    known = ~np.isnan(seen.queued)
    if not known.any():
        raise UsageError(
            "the requests in service and waiting were not recorded in this time: look at "
            "spec.signals, at the namespace, and at how long Prometheus keeps its data"
        )
    each, slots_told = _slots(seen, slots)
    lasts, service_told = _service(seen, service)
    arrivals, arrivals_told = _arrivals(seen, lasts)
    delay, delay_told = _start_up(seen, start_up)
    rng = chance("past", seed)
    buckets = [
        Bucket(seen.start + number * seen.step, seen.step, _whole(count, rng.random()), law)
        for number, (count, law) in enumerate(
            zip(arrivals, (Lognormal(mean, STEPS.sigma) for mean in lasts), strict=True)
        )
    ]
    drawn = np.array([(each.at, each.work) for each in spread(buckets, rng)]).reshape(-1, 2)
    return Past(
        start=seen.start,
        end=seen.end,
        at=drawn[:, 0],
        work=drawn[:, 1],
        slots=each,
        start_up=delay,
        replicas=_changes(seen),
        gaps=_gaps(seen, known),
        further=seen.further,
        times=seen.start + seen.step * _middles(len(known)),
        loads=seen.load,
        remarks=(arrivals_told, service_told, slots_told, delay_told),
    )


def _whole(count: float, luck: float) -> int:
    """Make a fraction of a request one by chance, so that totals keep their mean."""
    return int(count) + (luck < count % 1.0)


def _slots(seen: Recording, given: int | None) -> tuple[int, str]:
    if given is not None:
        return given, f"a replica serves {given} requests at once, as given"
    with np.errstate(invalid="ignore", divide="ignore"):
        measured = seen.capacity / seen.ready
    usable = measured[np.isfinite(measured) & (measured >= 1)]
    if not len(usable):
        raise UsageError(
            "how many requests a replica serves at once was not recorded: give --slots, or set "
            "spec.signals.capacity.perReplica"
        )
    found = max(1, round(float(np.median(usable))))
    return found, f"a replica serves {found} requests at once, as recorded"


def _service(seen: Recording, given: float | None) -> tuple[Doubles, str]:
    """Give the mean time of service of each step: requests in service over those that ended."""
    count = len(seen.active)
    spread_told = f"spread lognormally (sigma {STEPS.sigma:g}) around the mean"
    if given is not None:
        return np.full(count, given), f"requests take {given:g}s, as given, {spread_told}"
    both = ~np.isnan(seen.active) & ~np.isnan(seen.ending)
    ended = float(seen.ending[both].sum())
    if not ended:
        told = f"requests take {UNKNOWN_SERVICE:g}s, which nothing tells: give --service-time"
        return np.full(count, UNKNOWN_SERVICE), told
    usual = float(seen.active[both].sum()) / ended
    width = max(1, round(_SMOOTHED / seen.step))
    window = np.ones(min(width, count))
    busy = np.convolve(np.where(both, seen.active, 0.0), window, "same")
    done = np.convolve(np.where(both, seen.ending, 0.0), window, "same")
    # An hour with hardly an end says little: it counts as one with ten more usual ones.
    few = 10 / seen.step
    smoothed = np.maximum((busy + few * usual) / (done + few), 0.001)
    told = f"requests take {usual:.1f}s (busy slots over ends, by the hour), {spread_told}"
    return smoothed, told


def _arrivals(seen: Recording, lasts: Doubles) -> tuple[Doubles, str]:
    """Give the arrivals in each step; gaps go on as before."""
    change = np.diff(seen.load, prepend=seen.load[:1]) / seen.step
    ways = (
        (seen.arriving, "arrivals are those that were counted"),
        (seen.ending + change, "arrivals are the ends and the growth of the work in the system"),
        (seen.active / lasts + change, "arrivals are the busy slots over the time of service"),
    )
    rates, told = next(way for way in ways if not np.isnan(way[0]).all())
    return np.maximum(_filled(rates), 0.0) * seen.step, f"{told}, evenly within a step"


def _filled(values: Doubles) -> Doubles:
    """Let each unknown value be the last known one, and the first ones the first known."""
    known = np.flatnonzero(~np.isnan(values))
    before = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return values[known[np.maximum(before, 0)]]


def _start_up(seen: Recording, given: float | None) -> tuple[float, str]:
    """Give the median time of a start: by Little's law, starting pods over starts."""
    if given is not None:
        return given, f"a replica is ready after {given:g}s in the median, as given"
    starting = np.maximum(seen.asked - seen.ready, 0.0)
    starts = float(np.nansum(np.maximum(np.diff(seen.asked), 0.0)))
    if np.isnan(starting).all() or starts < _FEWEST_STARTS:
        return USUAL_START, f"a replica is ready after {USUAL_START:g}s in the median, by default"
    mean = float(np.nansum(starting)) * seen.step / starts
    found = min(max(mean * _MEDIAN_OF_MEAN, 1.0), 900.0)
    return found, f"a replica is ready after {found:.0f}s in the median, from {starts:.0f} starts"


def _changes(seen: Recording) -> tuple[tuple[float, int], ...]:
    """Tell the counts that were asked for; where nothing tells of asking, those that were ready."""
    counts = seen.ready if np.isnan(seen.asked).all() else seen.asked
    if np.isnan(counts).all():
        return ()
    whole = np.rint(_filled(counts)).astype(np.int64)
    new = np.flatnonzero(np.diff(whole, prepend=whole[0] - 1))
    return tuple((seen.start + float(step) * seen.step, int(whole[step])) for step in new)


def _gaps(seen: Recording, known: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    edges = np.flatnonzero(np.diff(np.concatenate(([True], known, [True])).astype(np.int8)))
    pairs: Sequence[tuple[int, int]] = list(zip(edges[::2], edges[1::2], strict=True))
    return tuple(
        (seen.start + float(first) * seen.step, seen.start + float(last) * seen.step)
        for first, last in pairs
    )
