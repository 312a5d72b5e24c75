"""Draw cost against attainment: a line for each algorithm, a dot for each of its settings."""

from collections import defaultdict
from itertools import cycle
from math import log10
from typing import Final

from tests.benchmarks.quality.report import Results, geometric_mean, of

WIDTH: Final = 860
HEIGHT: Final = 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 40, 50
_COLOURS: Final = ("#e4572e", "#3b82c4", "#2a9d8f", "#8e4ec6", "#c28a00", "#6b7785", "#b0447a")
_MOST_LATE: Final = 0.1
_LEAST_LATE: Final = 0.0001
_DEAREST: Final = 3.0
_ALLOWED: Final = 0.01

Dot = tuple[float, float, str]
"""Cost, late share, and what it stands for."""


def draw(results: Results) -> str:
    """Draw a world: the geometric mean of the cost, and the late share of the worst load."""
    lines = _lines(results)
    parts = [*_frame()]
    for place, ((algorithm, dots), colour) in enumerate(
        zip(lines.items(), cycle(_COLOURS), strict=False)
    ):
        parts += _line(algorithm, sorted(dots), colour, place)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _lines(results: Results) -> dict[str, list[Dot]]:
    lines: dict[str, list[Dot]] = defaultdict(list)
    names = {each.name: each for found in results.values() for each in found}
    for name, sample in names.items():
        line = of(results, name).values()
        attained = [each.attainment for each in line if each.attainment is not None]
        if attained:
            cost = geometric_mean([each.cost for each in line])
            lines[sample.algorithm].append((cost, 1 - min(attained), sample.variant))
    return lines


def _x(cost: float) -> float:
    share = (min(cost, _DEAREST) - 1) / (_DEAREST - 1)
    return _LEFT + max(0.0, share) * (WIDTH - _LEFT - _RIGHT)


def _y(late: float) -> float:
    bounded = min(max(late, _LEAST_LATE), _MOST_LATE)
    share = log10(bounded / _LEAST_LATE) / log10(_MOST_LATE / _LEAST_LATE)
    return _TOP + share * (HEIGHT - _TOP - _BOTTOM)


def _frame() -> list[str]:
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, "Worst load: share within 5 s, against the mean cost in oracles"),
    ]
    for late in (0.0001, 0.001, 0.01, 0.1):
        strong = ' stroke-width="2"' if late == _ALLOWED else ""
        y = _y(late)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="#ccd3da"{strong}/>')
        parts.append(_text(8, y + 4, f"{1 - late:.4g}"))
    for cost in (1.0, 1.2, 1.5, 2.0, 2.5, 3.0):
        x = _x(cost)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}" stroke="#ccd3da"/>')
        parts.append(_text(x - 8, HEIGHT - _BOTTOM + 18, f"{cost:g}"))
    return parts


def _line(algorithm: str, dots: list[Dot], colour: str, place: int) -> list[str]:
    points = [(_x(cost), _y(late)) for cost, late, _ in dots]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    parts = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>']
    for (x, y), (_, _, variant) in zip(points, dots, strict=True):
        title = f"<title>{algorithm}, {variant}</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}">{title}</circle>')
    y = _TOP + 12 + 20 * place
    parts.append(f'<circle cx="{WIDTH - _RIGHT + 24}" cy="{y - 4}" r="5" fill="{colour}"/>')
    parts.append(_text(WIDTH - _RIGHT + 36, y, algorithm))
    return parts


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#1f2933">{text}</text>'
