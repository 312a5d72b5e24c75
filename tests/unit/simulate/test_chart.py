"""The picture of a run, as a reader of SVG sees it."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from agentscaler.simulate.chart import HEIGHT, LEFT, RIGHT, WIDTH, Run, Sample, draw

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = (
    Sample(0, 2, 0, 1, 1),
    Sample(12, 8, 30, 9, 2, expected=8),
    Sample(24, 30, 0, 9, 9, expected=28),
)


def run(*samples: Sample, fixed: int | None = None, title: str = "A day") -> Run:
    return Run(title, "24 seconds", samples, slots=4, start=0, hour_seconds=1, fixed=fixed)


def texts(svg: str) -> list[str]:
    # Parsing what was just drawn is no parsing of foreign data.
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def paths(svg: str, color: str) -> list[list[tuple[float, float]]]:
    found = re.findall(r'd="M([^"Z]+)Z?"[^/]*var\(--' + color + r"\)", svg)
    return [
        [(float(x), float(y)) for x, y in (pair.split() for pair in path.split("L"))]
        for path in found
    ]


def test_everything_lies_within_the_picture() -> None:
    svg = draw(run(*SAMPLES, fixed=40))
    for color in ("busy", "waiting", "ready", "wanted", "forecast", "fixed"):
        for x, y in (point for path in paths(svg, color) for point in path):
            assert LEFT <= x <= WIDTH - RIGHT
            assert 0 <= y <= HEIGHT


def test_counts_are_drawn_as_stairs() -> None:
    svg = draw(run(*SAMPLES))
    (wanted,) = paths(svg, "wanted")
    for (x1, y1), (x2, y2) in pairwise(wanted):
        assert x1 == x2 or y1 == y2


def test_the_forecast_is_drawn_only_where_there_was_one() -> None:
    svg = draw(run(*SAMPLES))
    (forecast,) = paths(svg, "forecast")
    assert len(forecast) == 2
    assert not paths(draw(run(SAMPLES[0], SAMPLES[0]._replace(at=5))), "forecast")


def test_axes_name_the_hours_and_round_amounts() -> None:
    written = texts(draw(run(*SAMPLES)))
    assert [text for text in written if ":00" in text] == [
        *(f"{hour:02d}:00" for hour in range(0, 24, 3)),
        "00:00",
    ]
    assert {"0", "10", "20", "30", "40"} <= set(written)


def test_hours_go_on_beyond_midnight_when_the_run_began_late() -> None:
    late = Run("t", "s", SAMPLES, slots=4, start=0, hour_seconds=1, first_hour=2.5)
    hours = [text for text in texts(draw(late)) if ":00" in text]
    assert hours == ["03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00"]


def test_a_fixed_fleet_is_named_when_there_is_one_to_compare() -> None:
    assert "a fixed fleet of equal service: 7" in texts(draw(run(*SAMPLES, fixed=7)))
    assert not any("fixed" in text for text in texts(draw(run(*SAMPLES))))


def test_titles_may_hold_any_text() -> None:
    assert texts(draw(run(*SAMPLES, title='5 < 6 & "so on"')))[0] == '5 < 6 & "so on"'


def test_a_run_without_load_is_drawn_too() -> None:
    idle = (Sample(0, 0, 0, 0, 0), Sample(24, 0, 0, 0, 0))
    assert "A day" in texts(draw(run(*idle)))


def test_a_single_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        draw(run(SAMPLES[0]))
