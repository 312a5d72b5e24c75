"""Draw the reactions: for each size and interval a bar from p50 to p99, contender by contender."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import isinf, log10
from typing import Final

from tests.benchmarks.reaction.measuring import Found, Reaction

WIDTH: Final = 860
_LEFT, _RIGHT, _TOP, _ROW = 250, 70, 60, 22
_LEAST, _MOST = 0.1, 200.0
_TICKS: Final = (0.1, 0.3, 1, 3, 10, 30, 100)
_COLOURS: Final = ("#3b82c4", "#e4572e", "#c28a00")


def draw(results: Sequence[Found]) -> str:
    """Draw everything that was measured, on a logarithmic scale of seconds."""
    bars = list(_bars(results))
    height = _TOP + _ROW * len(bars) + 40
    parts = [*_frame(height)]
    names = list(dict.fromkeys(found.contender for found in results))
    for place, (found, reaction) in enumerate(bars):
        colour = _COLOURS[names.index(found.contender) % len(_COLOURS)]
        parts += _bar(found, reaction, colour, _TOP + _ROW * place)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="12">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bars(results: Sequence[Found]) -> Iterator[tuple[Found, Reaction]]:
    """Give what is compared side by side: the same size and interval together."""
    pairs = [(found, reaction) for found in results for reaction in found.reactions]
    ordered = sorted(pairs, key=lambda pair: (pair[0].size, -pair[1].interval))
    for _, same in groupby(ordered, key=lambda pair: (pair[0].size, pair[1].interval)):
        yield from same


def _x(seconds: float) -> float:
    share = log10(min(max(seconds, _LEAST), _MOST) / _LEAST) / log10(_MOST / _LEAST)
    return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def _frame(height: int) -> Iterator[str]:
    yield f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    yield _text(16, 22, "Seconds from a visible sample to patched replicas: p50 to p99, p95 marked")
    for tick in _TICKS:
        x = _x(tick)
        yield f'<path d="M{x:.1f} {_TOP - 12}V{height - 36}" stroke="#ccd3da"/>'
        yield _text(x - 6, height - 16, f"{tick:g}")


def _bar(found: Found, reaction: Reaction, colour: str, y: int) -> Iterator[str]:
    begin, middle, end = (_x(each) for each in (reaction.p50, reaction.p95, reaction.p99))
    yield _text(16, y + 5, f"{found.contender}, {found.size:,}, each {reaction.interval} s")
    yield (
        f'<path d="M{begin:.1f} {y}H{max(end, begin + 2):.1f}" stroke="{colour}" '
        'stroke-width="10"/>'
    )
    yield f'<path d="M{middle:.1f} {y - 8}V{y + 8}" stroke="#1f2933" stroke-width="1.5"/>'
    told = "never" if isinf(reaction.p99) else f"{reaction.p99:.1f}"
    yield _text(end + 8, y + 5, told)


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#1f2933">{text}</text>'
