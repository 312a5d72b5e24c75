"""The live view: the day so far as bars, and what the operator says of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import Generic, Protocol, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tests.demo.bars import Column, stacked
from tests.demo.scenario import DAY_SECONDS, SLOTS, time_of_day
from tests.demo.watching import Moment

COLUMNS = 72  # twenty minutes of the day each
LINE_SECONDS = 10.0
LOAD_LINES = 6
FORECAST_LINES = 3
REPLICA_LINES = 4
BUSY, WAITING = "dodger_blue2", "orange_red1"
READY, STARTING = "green4", "grey50"
FORECAST = "medium_purple1"


class Timed(Protocol):
    """Whatever was seen at one moment, in seconds."""

    @property
    def at(self) -> float: ...


Seen = TypeVar("Seen", bound=Timed)
Show = Callable[[Sequence[Seen]], None]


@contextmanager
def shown(
    console: Console, view: Callable[[Sequence[Seen]], RenderableType], line: Callable[[Seen], str]
) -> Iterator[Show[Seen]]:
    """Give what shows the moments so far: a live view, or lines where there is no terminal."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda moments: live.update(view(moments), refresh=True)
    else:
        yield Lines(console, line).show


class Lines(Generic[Seen]):
    """One line each ten seconds."""

    def __init__(self, console: Console, line: Callable[[Seen], str]) -> None:
        self._console = console
        self._line = line
        self._next = 0.0

    def show(self, moments: Sequence[Seen]) -> None:
        """Print the newest moment, if it is time."""
        if moments[-1].at >= moments[0].at + self._next:
            said = self._line(moments[-1])
            self._console.print(said, highlight=False, markup=False, soft_wrap=True)
            self._next += LINE_SECONDS


def view(moments: Sequence[Moment]) -> RenderableType:
    """Draw all that was seen."""
    now, start = moments[-1], moments[0].at
    return Panel(
        Group(
            *(*_load(moments, start), Text()),
            *(*_forecast(moments, start), Text()),
            *(*_replicas(moments, start), Text()),
            _words(now),
        ),
        title=f"[b]{time_of_day(now.at)}[/b] of the demo's day",
        subtitle=_progress(now.at - start),
        border_style="grey50",
    )


def line(now: Moment) -> str:
    """Say a moment in one line, for a log."""
    expected = "none" if now.expected is None else f"{now.expected:.0f} slots"
    return (
        f"{time_of_day(now.at)}  {now.in_service} in service, {now.waiting} waiting; "
        f"replicas {now.wanted} wanted, {now.ready} ready; forecast {expected}; {now.decision}"
    )


def _load(moments: Sequence[Moment], start: float) -> list[Text]:
    now = moments[-1]
    heading = Text.assemble(
        ("requests  ", "bold"),
        (f"{now.in_service} in service  ", BUSY),
        (f"{now.waiting} waiting  ", WAITING),
        (f"{now.ready * SLOTS} slots ready", "grey70"),
    )
    columns = binned(moments, start, lambda one: (one.in_service, one.waiting))
    most = _most_load(moments)
    return [heading, *stacked(columns, most=most, lines=LOAD_LINES, styles=(BUSY, WAITING))]


def _forecast(moments: Sequence[Moment], start: float) -> list[Text]:
    """Draw what was expected, each at the time it was said, on the scale of the load."""
    now = moments[-1]
    said = "none yet" if now.expected is None else f"{now.expected:.0f} slots in {now.lookahead:g}s"
    heading = Text.assemble(("forecast  ", "bold"), (said, FORECAST))
    columns = binned(moments, start, lambda one: (one.expected or 0.0, 0.0))
    styles = (FORECAST, FORECAST)
    lines = stacked(columns, most=_most_load(moments), lines=FORECAST_LINES, styles=styles)
    return [heading, *lines]


def _most_load(moments: Sequence[Moment]) -> float:
    return max(20.0, *(max(one.in_service + one.waiting, one.expected or 0) for one in moments))


def _replicas(moments: Sequence[Moment], start: float) -> list[Text]:
    now = moments[-1]
    most = max(8, *(max(moment.wanted, moment.ready) for moment in moments))
    heading = Text.assemble(
        ("replicas  ", "bold"),
        (f"{now.ready} ready  ", READY),
        (f"{now.wanted} wanted", "grey70"),
    )
    columns = binned(moments, start, lambda one: (one.ready, max(0, one.wanted - one.ready)))
    return [heading, *stacked(columns, most=most, lines=REPLICA_LINES, styles=(READY, STARTING))]


def _words(now: Moment) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="bold", width=8)
    table.add_column(overflow="fold")
    table.add_row("decision", Text(now.decision or "none yet"))
    for number, event in enumerate(now.events):
        said = Text(event, style="grey70", no_wrap=True, overflow="ellipsis")
        table.add_row("" if number else "events", said)
    return table


def _progress(elapsed: float) -> str:
    return f"{min(elapsed, DAY_SECONDS):.0f} of {DAY_SECONDS:.0f} s, Ctrl-C ends it"


def binned(
    moments: Sequence[Seen],
    start: float,
    amounts: Callable[[Seen], Column],
    seconds: float = DAY_SECONDS,
) -> list[Column]:
    """Give the mean amounts of each column; one without moments repeats the one before."""
    bins: list[list[Column]] = [[] for _ in range(COLUMNS)]
    for moment in moments:
        number = int((moment.at - start) / seconds * COLUMNS)
        bins[min(number, COLUMNS - 1)].append(amounts(moment))
    columns: list[Column] = []
    last = next(number for number in reversed(range(COLUMNS)) if bins[number])
    for held in bins[: last + 1]:
        if held:
            columns.append((fmean(a for a, _ in held), fmean(b for _, b in held)))
        else:
            columns.append(columns[-1] if columns else (0.0, 0.0))
    return columns
