"""What a played fleet shows, under a clock that is moved by hand."""

import math
from dataclasses import dataclass, field

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agentscaler import conventions
from tests.bed.fleet.config import AgentConfig, Change, Gauge, Steady, Work
from tests.bed.fleet.playing import Playing
from tests.bed.fleet.pods import PodSeen, State

KEY = ("agents", "research")
BUSY = Steady(rate=10, work=Work(mean=2))


@dataclass
class Stage:
    """A fleet of one agent, its clock and its pods."""

    now: float = 0.0
    pods: dict[str, PodSeen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.playing = Playing(lambda: self.now, lambda: list(self.pods.values()))

    def play(self, load: Steady = BUSY, slots: int = 4) -> None:
        self.playing.put(AgentConfig(namespace=KEY[0], name=KEY[1], slots=slots, load=load))

    def pod(self, name: str, state: State | None) -> None:
        seen = PodSeen(*KEY, name, state)
        self.pods[name] = seen
        self.playing.note(seen)

    def series(self, metric: str) -> list[float]:
        text = self.playing.page()
        assert text is not None
        families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        samples = [sample for family in families for sample in family.samples]
        return [sample.value for sample in samples if sample.name == metric]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_page_is_valid_and_tells_the_load(stage: Stage) -> None:
    stage.play()
    stage.pod("a", State.READY)
    stage.pod("b", State.STARTING)
    stage.now = 60
    assert stage.series(conventions.ACTIVE_REQUESTS) == [4]
    assert stage.series(conventions.CAPACITY) == [4]
    assert stage.series(conventions.QUEUE_DEPTH)[0] > 300
    received = stage.series(conventions.REQUESTS_RECEIVED)[0]
    assert received == pytest.approx(600, rel=0.15)
    assert stage.series(f"{conventions.REQUEST_WAIT}_count")[0] < received
    assert stage.series(conventions.PENDING_LLM_CALLS) == [pytest.approx(3.2)]


def test_runtime_series_are_absent_without_pods(stage: Stage) -> None:
    stage.play()
    stage.now = 10
    assert stage.series(conventions.QUEUE_DEPTH)[0] > 0
    assert not stage.series(conventions.ACTIVE_REQUESTS)
    assert not stage.series(conventions.REQUESTS_ENDED)


def test_draining_pods_are_left_out_and_named_once_idle(stage: Stage) -> None:
    stage.play(Steady(rate=1, work=Work(mean=2)), slots=50)
    stage.pod("a", State.READY)
    stage.now = 10
    stage.playing.change(KEY, Change(load=Steady()))
    stage.pod("a", State.DRAINING)
    assert not stage.series(conventions.ACTIVE_REQUESTS)
    stage.now = 60
    assert stage.playing.drained() == [("agents", "a")]
    stage.pod("a", None)
    assert not stage.playing.drained()
    assert stage.playing.figures()[0]["cut"] == 0


def test_a_pod_that_goes_while_busy_cuts_its_requests(stage: Stage) -> None:
    stage.play()
    stage.pod("a", State.READY)
    stage.now = 10
    stage.pod("a", None)
    assert stage.playing.figures()[0]["cut"] == 4


def test_pins_replace_the_truth_until_unpinned(stage: Stage) -> None:
    stage.play()
    stage.pod("a", State.READY)
    stage.pod("b", State.READY)
    pins: dict[str, float | str] = {
        conventions.QUEUE_DEPTH: 40,
        conventions.ACTIVE_REQUESTS: "NaN",
        conventions.CAPACITY: "absent",
    }
    stage.playing.change(KEY, Change.model_validate({"pins": pins}))
    assert stage.series(conventions.QUEUE_DEPTH) == [40]
    assert all(map(math.isnan, stage.series(conventions.ACTIVE_REQUESTS)))
    assert not stage.series(conventions.CAPACITY)
    stage.playing.change(KEY, Change(pins=dict.fromkeys(pins)))
    assert stage.series(conventions.CAPACITY) == [4, 4]
    assert stage.series(conventions.QUEUE_DEPTH) == [0]


def test_a_frozen_agent_shows_the_past_while_it_works_on(stage: Stage) -> None:
    stage.play()
    stage.pod("a", State.READY)
    stage.now = 10
    stage.playing.change(KEY, Change(shown="frozen"))
    before = stage.series(conventions.REQUESTS_RECEIVED)
    stage.now = 20
    assert stage.series(conventions.REQUESTS_RECEIVED) == before
    assert stage.playing.figures()[0]["arrivals"] > before[0]
    stage.playing.change(KEY, Change(shown="live"))
    assert stage.series(conventions.REQUESTS_RECEIVED)[0] > before[0]


def test_absent_agents_and_pages_show_nothing(stage: Stage) -> None:
    stage.play()
    stage.playing.change(KEY, Change(shown="absent"))
    assert stage.playing.page() == "# EOF\n"
    stage.playing.show("absent")
    assert stage.playing.page() is None


def test_a_frozen_page_stays_as_it_was(stage: Stage) -> None:
    stage.play()
    stage.playing.show("frozen")
    before = stage.playing.page()
    stage.now = 30
    assert stage.playing.page() == before


def test_custom_series_come_and_go(stage: Stage) -> None:
    stage.playing.set_gauge(Gauge(name="tickets", value=4, labels={"team": 'a "b"'}))
    assert stage.series("tickets") == [4]
    stage.playing.set_gauge(Gauge(name="tickets", value=None, labels={"team": 'a "b"'}))
    assert stage.playing.page() == "# EOF\n"


def test_ratios_show_in_the_outcomes(stage: Stage) -> None:
    stage.play(slots=50)
    stage.pod("a", State.READY)
    stage.playing.change(KEY, Change(error_ratio=0.25, rate_limited_ratio=0.5))
    stage.now = 200
    ok, failed = stage.series(conventions.REQUESTS_ENDED)
    assert failed / (ok + failed) == pytest.approx(0.25, rel=0.15)
    answered, refused = stage.series(conventions.LLM_RESPONSES)
    assert refused == pytest.approx(answered, rel=0.01)


def test_figures_begin_at_the_mark(stage: Stage) -> None:
    stage.play()
    stage.pod("a", State.READY)
    stage.now = 10
    stage.playing.mark()
    stage.now = 20
    figures = stage.playing.figures()[0]
    assert figures["arrivals"] == pytest.approx(100, rel=0.3)
    assert figures["replica_hours"] == pytest.approx(10 / 3600)


def test_an_agent_put_late_has_the_pods_that_are_there(stage: Stage) -> None:
    stage.pod("a", State.READY)
    stage.play()
    assert stage.series(conventions.CAPACITY) == [4]
    stage.playing.remove(KEY)
    assert stage.playing.page() == "# EOF\n"
