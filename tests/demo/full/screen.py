"""The live view of the whole demo: questions under way, replicas, and what the operator says."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tests.demo.bars import stacked
from tests.demo.full.scenario import MODEL_LIMIT, WAIT_TARGET
from tests.demo.screen import BUSY, READY, STARTING, WAITING, binned

LOAD_LINES, REPLICA_LINES = 6, 4


@dataclass(frozen=True)
class Moment:
    """What was seen `at` seconds after the beginning.

    waiting: of the questions under way, those whose work has not begun; limited: whether the
    model's stand-in refuses calls by now.
    """

    at: float
    users: int
    answering: int
    waiting: int
    done: int
    attainment: float
    wanted: int
    serving: int
    limited: bool
    decision: str


def view(moments: Sequence[Moment], *, seconds: float) -> RenderableType:
    """Draw all that was seen of a run of `seconds`."""
    now = moments[-1]
    return Panel(
        Group(
            *(*_questions(moments, seconds), Text()),
            *(*_replicas(moments, seconds), Text()),
            _words(now),
        ),
        title=f"[b]{now.users}[/b] users with sessions",
        subtitle=f"{min(now.at, seconds):.0f} of {seconds:.0f} s, Ctrl-C ends it",
        border_style="grey50",
    )


def view_of(seconds: float) -> partial[RenderableType]:
    """Give the view of a run that lasts so long."""
    return partial(view, seconds=seconds)


def line(now: Moment) -> str:
    """Say a moment in one line, for a log."""
    limit = f"; the model takes {MODEL_LIMIT} calls at once" if now.limited else ""
    return (
        f"{now.at:4.0f} s  {now.users} users, {now.done} requests done, {now.answering} answered, "
        f"{now.waiting} waiting; replicas {now.wanted} wanted, {now.serving} serve{limit}; "
        f"{now.decision}"
    )


def _questions(moments: Sequence[Moment], seconds: float) -> list[Text]:
    now = moments[-1]
    heading = Text.assemble(
        ("questions  ", "bold"),
        (f"{now.answering} being answered  ", BUSY),
        (f"{now.waiting} waiting  ", WAITING),
        (f"{now.done} done, {now.attainment:.1%} begun within {WAIT_TARGET:g} s", "grey70"),
    )
    most = max(8, *(one.answering + one.waiting for one in moments))
    columns = binned(moments, moments[0].at, lambda one: (one.answering, one.waiting), seconds)
    return [heading, *stacked(columns, most=most, lines=LOAD_LINES, styles=(BUSY, WAITING))]


def _replicas(moments: Sequence[Moment], seconds: float) -> list[Text]:
    now = moments[-1]
    heading = Text.assemble(
        ("replicas  ", "bold"),
        (f"{now.serving} serve  ", READY),
        (f"{now.wanted} wanted", "grey70"),
    )
    most = max(4, *(max(one.wanted, one.serving) for one in moments))
    columns = binned(
        moments,
        moments[0].at,
        lambda one: (one.serving, max(0, one.wanted - one.serving)),
        seconds,
    )
    return [heading, *stacked(columns, most=most, lines=REPLICA_LINES, styles=(READY, STARTING))]


def _words(now: Moment) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="bold", width=8)
    table.add_column(overflow="fold")
    if now.limited:
        said = Text(f"takes {MODEL_LIMIT} calls at once, and answers 429 beyond", style=WAITING)
        table.add_row("model", said)
    table.add_row("decision", Text(now.decision))
    return table
