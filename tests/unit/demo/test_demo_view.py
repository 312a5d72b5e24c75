"""What the demo shows and writes, from moments made by hand."""

from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agentscaler.simulate import chart
from tests.demo import closing, scenario, screen
from tests.demo.bars import stacked
from tests.demo.comparing import Fixed
from tests.demo.watching import Moment

EQUAL = Fixed(12, 0.99, 0.1, 1.5, 0.6)
FIGURES = {
    "arrivals": 3012,
    "attainment": 0.995,
    "mean_wait": 0.12,
    "p99_wait": 1.7,
    "replica_hours": 0.4,
    "cut": 0,
}


def moment(at: float, in_service: int = 10, ready: int = 5, **other: float) -> Moment:
    return Moment(
        at=at,
        in_service=in_service,
        waiting=int(other.get("waiting", 0)),
        wanted=int(other.get("wanted", ready)),
        ready=ready,
        expected=other.get("expected"),
        lookahead=6.0,
        decision="goes from 5 to 6: 20 busy and 3 waiting",
        events=("ScaledUp: goes from 5 to 6",),
    )


def rendered(moments: list[Moment]) -> str:
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(screen.view(moments))
    return captured.get()


def test_the_view_tells_time_load_replicas_decision_and_events() -> None:
    text = rendered([moment(90.0), moment(97.5, waiting=3, wanted=7, expected=24.0)])
    for expected in (
        "13:00 of the demo's day",
        "10 in service",
        "3 waiting",
        "7 wanted",
        "24 slots in 6s",
        "goes from 5 to 6: 20 busy and 3 waiting",
        "ScaledUp",
        "8 of 180 s",
    ):
        assert expected in text


def test_the_view_keeps_its_width_over_the_whole_day() -> None:
    moments = [moment(90.0 + second, in_service=second) for second in range(0, 181, 3)]
    assert {len(line) for line in rendered(moments).splitlines()} == {100}


def test_lines_come_every_ten_seconds_where_there_is_no_terminal() -> None:
    console = Console(file=StringIO(), width=200)
    moments: list[Moment] = []
    with console.capture() as captured, screen.shown(console, screen.view, screen.line) as show:
        for second in range(25):
            moments.append(moment(90.0 + second))
            show(moments)
    lines = captured.get().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("12:00  10 in service, 0 waiting; replicas 5 wanted, 5 ready")


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=20),
    st.integers(1, 8),
)
def test_bars_fill_exactly_their_grid(columns: list[tuple[float, float]], lines: int) -> None:
    most = max(below + above for below, above in columns) or 1.0
    drawn = stacked(columns, most=most, lines=lines, styles=("blue", "red"))
    assert len(drawn) == lines
    assert {len(line) for line in drawn} == {len(columns)}


def test_bars_are_as_high_as_their_amounts() -> None:
    drawn = stacked([(4, 0), (2, 2), (1, 0)], most=4, lines=2, styles=("blue", "red"))
    assert [line.plain for line in drawn] == ["██ ", "██▄"]


def test_figures_compare_with_fixed_fleets() -> None:
    console = Console(file=StringIO(), width=140)
    with console.capture() as captured:
        closing.print_figures(console, FIGURES, Fixed(16, 1.0, 0.0, 0.0, 0.8), EQUAL)
    text = captured.get()
    for expected in ("3,012 requests", "99.50%", "1.70 s", "192", "200%", "150%"):
        assert expected in text


def test_the_picture_shows_each_forecast_at_the_moment_it_was_made_for() -> None:
    moments = [moment(float(at), expected=float(at)) for at in range(30)]
    run = closing.run_of(moments, FIGURES, EQUAL)
    assert [sample.expected for sample in run.samples[:8]] == [None] * 6 + [0.0, 1.0]
    assert "<svg" in chart.draw(run)


def test_a_day_begins_at_night() -> None:
    assert [scenario.is_night(hour * scenario.HOUR_SECONDS) for hour in (0, 3.9, 4, 12, 22)] == [
        *(True, True),
        *(False, False),
        True,
    ]


def test_the_time_of_day_is_that_of_the_compressed_day() -> None:
    assert scenario.time_of_day(0) == "00:00"
    assert scenario.time_of_day(90 + 3.75) == "12:30"
    assert scenario.time_of_day(-1.0) == "23:52"
