"""The picture of a run: what arrived, what was there to serve it, and what was asked for.

Gives SVG as text, light or dark as the reader's screen is. Draws what it is told; how the run came
about, on a real cluster or under virtual time, is not known here.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

Point = tuple[float, float]

WIDTH: Final = 960
HEIGHT: Final = 560
LEFT: Final = 56
RIGHT: Final = 24
LOAD_PANEL: Final = (122, 340)  # top and bottom
REPLICA_PANEL: Final = (394, 510)
_TICK_HOURS: Final = (1, 3, 6, 12, 24, 48, 96, 168)
_MOST_HOURS: Final = 9  # written below a chart
_MOST_TICKS: Final = 5
_STYLE: Final = """
  svg { --paper: #ffffff; --ink: #1f2933; --quiet: #6b7785; --grid: #e4e8ec;
        --busy: #3b82c4; --waiting: #e4572e; --ready: #2a9d8f; --wanted: #1f2933;
        --forecast: #8e4ec6; --fixed: #9aa5b1; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #12171d; --ink: #e6eaee; --quiet: #93a0ad; --grid: #29323b;
          --busy: #4f9bdc; --waiting: #ff7a52; --ready: #3dbdad; --wanted: #e6eaee;
          --forecast: #c08cf0; --fixed: #66727f; }
  }
  text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
         fill: var(--quiet); }
  .title { font-size: 17px; font-weight: 600; fill: var(--ink); }
  .panel { font-weight: 600; fill: var(--ink); }
  .grid { stroke: var(--grid); stroke-width: 1; }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
"""


class Sample(NamedTuple):
    """One moment of a run; `expected` is the forecast made for this moment, if there was one."""

    at: float
    in_service: float
    waiting: float
    wanted: int
    ready: int
    expected: float | None = None


@dataclass(frozen=True)
class Run:
    """What to draw: samples in the order of time, over `hours` hours of `hour_seconds` each.

    `slots` is what one replica serves at once; `fixed` the fixed fleet it is compared with.
    """

    title: str
    subtitle: str
    samples: Sequence[Sample]
    slots: int
    start: float
    hour_seconds: float
    hours: float = 24.0
    first_hour: float = 0.0
    fixed: int | None = None


@dataclass(frozen=True)
class Panel:
    """A rectangle with its scales: hours to the right, amounts upwards from zero."""

    run: Run
    top: float
    bottom: float
    most: float

    def x(self, at: float) -> float:
        share = (at - self.run.start) / (self.run.hours * self.run.hour_seconds)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, amount: float) -> float:
        return self.bottom - amount / self.most * (self.bottom - self.top)

    def points(self, amount: Callable[[Sample], float]) -> list[Point]:
        return [(self.x(sample.at), self.y(amount(sample))) for sample in self.run.samples]


def draw(run: Run) -> str:
    """Draw a run; raise ValueError if it has fewer than two samples."""
    if len(run.samples) < 2:  # noqa: PLR2004 - a line needs two ends
        raise ValueError("a run needs at least two samples to be drawn")
    parts = [*_frame(run), *_load_panel(run), *_replica_panel(run)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label={quoteattr(run.title)}>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _frame(run: Run) -> list[str]:
    entries = [
        ("busy", "in service", False),
        ("waiting", "waiting", False),
        ("ready", "slots and replicas ready", True),
        ("forecast", "forecast", True),
        ("wanted", "replicas wanted", True),
    ]
    return [
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="var(--paper)"/>',
        _text(LEFT, 32, run.title, kind="title"),
        _text(LEFT, 52, run.subtitle),
        *_legend(entries),
    ]


def _load_panel(run: Run) -> list[str]:
    top, bottom = LOAD_PANEL
    peak = max(
        max(sample.in_service + sample.waiting, sample.ready * run.slots, sample.expected or 0)
        for sample in run.samples
    )
    panel = Panel(run, top, bottom, _ceiling(peak))
    busy = panel.points(lambda sample: sample.in_service)
    all_work = panel.points(lambda sample: sample.in_service + sample.waiting)
    capacity = panel.points(lambda sample: sample.ready * run.slots)
    return [
        _text(LEFT, top - 12, "Requests", kind="panel"),
        *_grid(panel),
        _area(all_work, busy, "waiting", 0.9),
        _area(busy, [(x, bottom) for x, _ in busy], "busy", 0.75),
        _line(_stairs(capacity), "ready"),
        *(_line(piece, "forecast", dashed=True) for piece in _forecast(panel)),
    ]


def _replica_panel(run: Run) -> list[str]:
    top, bottom = REPLICA_PANEL
    peak = max(max(sample.wanted, sample.ready, run.fixed or 0) for sample in run.samples)
    panel = Panel(run, top, bottom, _ceiling(peak))
    ready = _stairs(panel.points(lambda sample: sample.ready))
    wanted = _stairs(panel.points(lambda sample: sample.wanted))
    return [
        _text(LEFT, top - 12, "Replicas", kind="panel"),
        *_grid(panel),
        *_hours(panel),
        _area(ready, [(x, bottom) for x, _ in ready], "ready", 0.3),
        *_fixed(panel),
        _line(wanted, "wanted"),
    ]


def _fixed(panel: Panel) -> list[str]:
    if panel.run.fixed is None:
        return []
    y = panel.y(panel.run.fixed)
    label = f"a fixed fleet of equal service: {panel.run.fixed}"
    ends = [(float(LEFT), y), (float(WIDTH - RIGHT), y)]
    return [_line(ends, "fixed", dashed=True), _text(LEFT + 8, y - 6, label)]


def _forecast(panel: Panel) -> list[list[Point]]:
    """Cut the line of the forecast where there was none."""
    pieces: list[list[Point]] = [[]]
    for sample in panel.run.samples:
        if sample.expected is None:
            pieces.append([])
        else:
            pieces[-1].append((panel.x(sample.at), panel.y(sample.expected)))
    return [piece for piece in pieces if len(piece) > 1]


def _grid(panel: Panel) -> list[str]:
    step = _step(panel.most)
    parts = []
    for number in range(round(panel.most / step) + 1):
        amount = number * step
        y = panel.y(amount)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(LEFT - 8, y + 4, f"{amount:g}", anchor="end"))
    return parts


def _hours(panel: Panel) -> list[str]:
    """Write the hours of the day below, or the days where there are many."""
    run, parts = panel.run, []
    step = next((each for each in _TICK_HOURS if run.hours / each < _MOST_HOURS), _TICK_HOURS[-1])
    hour = math.ceil(run.first_hour / step) * step
    while hour <= run.first_hour + run.hours:
        x = panel.x(run.start + (hour - run.first_hour) * run.hour_seconds)
        label = f"day {hour // 24 + 1}" if step >= 24 else f"{hour % 24:02d}:00"  # noqa: PLR2004
        parts.append(_text(x, panel.bottom + 20, label, anchor="middle"))
        hour += step
    return parts


def _legend(entries: Iterable[tuple[str, str, bool]]) -> list[str]:
    x, y, parts = float(LEFT), 82.0, []
    for color, label, is_line in entries:
        height = 3 if is_line else 10
        parts.append(
            f'<rect x="{x:.0f}" y="{y - height / 2 - 4:.1f}" width="16" height="{height}" rx="1.5" '
            f'fill="var(--{color})"/>'
        )
        parts.append(_text(x + 22, y, label))
        x += 46 + 6.4 * len(label)
    return parts


def _stairs(points: Sequence[Point]) -> list[Point]:
    """Hold each amount until the next moment: counts do not glide."""
    held = [points[0]]
    for (_, before), (x, now) in pairwise(points):
        held += [(x, before), (x, now)]
    return held


def _line(points: Sequence[Point], color: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path class="line" d="M{_path(points)}" stroke="var(--{color})"{dash}/>'


def _area(above: Sequence[Point], below: Sequence[Point], color: str, opacity: float) -> str:
    outline = [*above, *reversed(below)]
    return f'<path d="M{_path(outline)}Z" fill="var(--{color})" fill-opacity="{opacity}"/>'


def _path(points: Iterable[Point]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, *, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _step(most: float) -> float:
    """Tell the round distance of grid lines that needs at most five of them."""
    rough = most / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * round_ for round_ in (1, 2, 5, 10) if power * round_ >= rough * 0.999)


def _ceiling(peak: float) -> float:
    """Tell the top of a scale: the next grid line above the peak."""
    step = _step(max(peak, 1.0))
    return math.ceil(max(peak, 1.0) / step) * step
