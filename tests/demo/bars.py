"""Bar charts of text: stacked columns, in eighths of a line."""

from collections.abc import Sequence

from rich.text import Text

EIGHTHS = " ▁▂▃▄▅▆▇█"

Column = tuple[float, float]
"""Two amounts, the second stacked upon the first."""


def stacked(
    columns: Sequence[Column], *, most: float, lines: int, styles: tuple[str, str]
) -> list[Text]:
    """Draw columns as lines of text, the uppermost first; `most` fills all lines."""
    scaled = [(below / most * lines, (below + above) / most * lines) for below, above in columns]
    return [_line(scaled, level, styles) for level in reversed(range(lines))]


def _line(columns: Sequence[Column], level: int, styles: tuple[str, str]) -> Text:
    line = Text()
    for below, total in columns:
        line.append(*_cell(below - level, total - level, styles))
    return line


def _cell(below: float, total: float, styles: tuple[str, str]) -> tuple[str, str]:
    """Fill one cell from its bottom: one amount, then the other."""
    first, second = styles
    if below >= 1:
        return EIGHTHS[8], first
    if below > 0:
        behind = f" on {second}" if total >= 1 else ""
        return EIGHTHS[round(below * 8)], first + behind
    return EIGHTHS[max(0, min(8, round(total * 8)))], second
