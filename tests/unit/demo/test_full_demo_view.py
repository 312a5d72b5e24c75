"""What the whole demo shows, from moments made by hand."""

from io import StringIO

from rich.console import Console

from tests.demo import screen
from tests.demo.full.screen import Moment, line, view_of


def moment(at: float, *, answering: int = 5, waiting: int = 0, limited: bool = False) -> Moment:
    return Moment(
        at=at,
        users=12,
        answering=answering,
        waiting=waiting,
        done=40,
        attainment=0.975,
        wanted=4,
        serving=3,
        limited=limited,
        decision="goes from 3 to 4: 9 busy and 2 waiting",
    )


def rendered(*moments: Moment) -> str:
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(view_of(140.0)(moments))
    return captured.get()


def test_view_tells_questions_replicas_and_the_decision() -> None:
    text = rendered(moment(0.0), moment(70.0, waiting=2))
    for expected in (
        "12 users with sessions",
        "5 being answered",
        "2 waiting",
        "40 done, 97.5% begun within 2 s",
        "3 serve",
        "4 wanted",
        "goes from 3 to 4",
        "70 of 140 s",
    ):
        assert expected in text
    assert "429" not in text


def test_bars_grow_with_the_questions_and_reach_as_far_as_the_run() -> None:
    calm, busy = rendered(moment(0.0, answering=1)), rendered(moment(0.0, answering=8))
    assert busy.count("█") > calm.count("█")
    late = rendered(moment(0.0), moment(139.0))
    assert late.count("█") > 60


def test_models_limit_is_told_once_it_refuses() -> None:
    assert "answers 429 beyond" in rendered(moment(100.0, limited=True))
    assert "takes 4 calls at once" in line(moment(100.0, limited=True))


def test_lines_take_the_place_of_the_view_where_there_is_no_terminal() -> None:
    console = Console(file=StringIO(), width=40)
    with console.capture() as captured, screen.shown(console, view_of(140.0), line) as show:
        show([moment(0.0)])
        show([moment(0.0), moment(1.0)])
        show([moment(0.0), moment(11.0)])
    assert [text.split(" s")[0].strip() for text in captured.get().splitlines()] == ["0", "11"]
