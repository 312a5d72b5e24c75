"""A replay by hand: who decides, what it costs, who waits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agentscaler.simulate.backtest import POLICY, RECORDED, Backtest, without_further
from agentscaler.simulate.past import Past
from agentscaler.simulate.picture import picture
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.replay import Replay, Terms
from agentscaler.simulate.scalers import (
    Fixed,
    Horizontal,
    Recorded,
    Scaler,
    Sight,
    on_utilization,
    on_work,
)

HOUR = 3600.0
START = 1_700_000_000.0


def load(rate: float, *, hours: float = 1.0, work: float = 10.0, **more: Any) -> Past:
    at = START + np.arange(0, hours * HOUR, 1 / rate)
    return Past(
        start=START,
        end=START + hours * HOUR,
        at=at,
        work=np.full(len(at), work),
        slots=2,
        start_up=30.0,
        **more,
    )


def sight(current: int, **readings: float | None) -> Sight:
    return Sight(now=0.0, readings=readings, current=current, ready=current, starting=0)


class Swinging:
    """Asks for one more and one less in turn."""

    def decide(self, seen: Sight) -> int:
        return 3 if seen.current == 2 else 2


class Listening:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.seen: list[Sight] = []

    def decide(self, seen: Sight) -> int:
        self.seen.append(seen)
        return seen.current


def test_fixed_fleet_costs_its_size_and_serves_at_once() -> None:
    outcome = Replay(load(0.1), Terms(), replicas=2).run(Fixed(2))
    assert outcome.replica_hours == pytest.approx(2 * 50 / 60, abs=0.01)  # ten minutes are free
    assert (outcome.attainment, outcome.scalings, outcome.flaps) == (1.0, 0, 0)
    assert outcome.waits == (0.0, 0.0, 0.0)
    assert outcome.worst() == []


def test_too_small_a_fleet_lets_requests_wait() -> None:
    outcome = Replay(load(0.3), Terms(), replicas=1).run(Fixed(1))  # 3 slots of work for 2
    assert outcome.attainment < 0.01
    assert outcome.waits[0] > 60
    assert len(outcome.worst()) == 5
    assert all(minute.late == minute.begun for minute in outcome.worst())


def test_change_of_mind_within_ten_minutes_is_a_flap() -> None:
    outcome = Replay(load(0.1), Terms(), replicas=2).run(Swinging())
    assert outcome.scalings == 199  # after the first of 200 polls that count
    assert outcome.flaps == 198


def test_same_replay_gives_the_same_outcome() -> None:
    outcomes = [Replay(load(0.3), Terms(), replicas=2).run(Swinging()) for _ in range(2)]
    assert outcomes[0] == outcomes[1]


def test_readings_are_what_prometheus_would_tell() -> None:
    listening = Listening()
    Replay(load(0.2), Terms(), replicas=2).run(listening)
    last = listening.seen[-1]
    assert last.readings["activeRequests"] == 2
    assert last.readings["queueDepth"] == 0
    assert last.readings["capacity"] == 4
    assert last.readings["arrivalRate"] == pytest.approx(0.2)
    assert last.readings["completionRate"] == pytest.approx(0.2)
    assert last.readings["errorRatio"] == 0
    assert last.readings["waitSeconds"] == pytest.approx(0.095)  # the first bucket ends at 0.1
    assert last.readings["latencySeconds"] == pytest.approx(9.75)  # 5 s to 10 s
    assert (last.current, last.ready, last.starting) == (2, 2, 0)


def test_nothing_is_read_in_a_gap_but_what_was_recorded_elsewhere() -> None:
    listening = Listening()
    gap = (START + 1800, START + 2400)
    past = load(0.2, gaps=(gap,), further={"gates.database": np.full(60, 0.5)})
    Replay(past, Terms(), replicas=2).run(listening)
    blind = [seen for seen in listening.seen if "queueDepth" not in seen.readings]
    assert len(blind) == 40
    assert (gap[0] <= blind[0].now, blind[-1].now < gap[1]) == (True, True)
    assert all(seen.readings["gates.database"] == 0.5 for seen in listening.seen)


def test_rollouts_begin_at_their_times_and_are_told() -> None:
    listening = Listening()
    outcome = Replay(load(0.2), Terms(rollout_every=1200), replicas=4).run(listening)
    rolling = [seen.now - START for seen in listening.seen if seen.rolling_out]
    assert (rolling[0] - 1200) <= 30
    assert len([at for at in rolling if at < 2400]) < 40
    assert any(at > 2400 for at in rolling)
    assert {seen.current for seen in listening.seen} == {4}
    assert outcome.replica_hours > 4 * 50 / 60  # the new ones start on top


def test_starts_that_fail_take_longer() -> None:
    class Growing:
        def decide(self, seen: Sight) -> int:
            return seen.current + 1

    ready = [
        Replay(load(0.1), Terms(failing=share), replicas=1).run(Growing()).moments[-1].ready
        for share in (0.0, 0.5)
    ]
    assert ready[1] < ready[0]


def test_recorded_replicas_are_run_again() -> None:
    scaler = Recorded(((START, 2), (START + 1800, 5)))
    counts = [scaler.decide(replace(sight(2), now=START + after)) for after in (0, 1799, 1800, 9e9)]
    assert counts == [2, 2, 5, 5]


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (sight(4, activeRequests=8, capacity=8), 6),
        (sight(4, activeRequests=6, capacity=8), 4),
        (sight(4, activeRequests=None, capacity=8), 4),
        (sight(40, activeRequests=80, capacity=80), 50),
    ],
    ids=["above", "within the tolerance", "unknown", "at most"],
)
def test_horizontal_autoscaler_follows_utilization(seen: Sight, wanted: int) -> None:
    assert Horizontal(on_utilization(0.7), 1, 50).decide(seen) == wanted


def test_horizontal_autoscaler_shrinks_to_the_highest_wish_of_five_minutes() -> None:
    scaler = Horizontal(on_work(2.0), 1, 50)
    busy, idle = (sight(10, activeRequests=work, queueDepth=0) for work in (20, 4))
    assert scaler.decide(busy) == 10
    assert scaler.decide(replace(idle, now=299.0)) == 10
    assert scaler.decide(replace(idle, now=300.0)) == 2


def test_horizontal_autoscaler_at_most_doubles() -> None:
    assert Horizontal(on_work(1.0), 1, 500).decide(sight(10, activeRequests=99, queueDepth=9)) == 20
    assert Horizontal(on_work(1.0), 1, 500).decide(sight(1, activeRequests=99, queueDepth=9)) == 5


SPEC: dict[str, Any] = {"scaleTargetRef": {"name": "agent"}, "maxReplicas": 20}


def test_comparison_has_the_policy_first_and_what_was_run() -> None:
    heard: list[tuple[str, float]] = []
    past = load(0.5, hours=0.5, replicas=((START, 6),))
    rows = Backtest(SPEC, past).compare(lambda name, share: heard.append((name, share)))
    assert [row.name for row in rows[:2]] == [POLICY, RECORDED]
    assert [row.name for row in rows[3:]] == [
        "thresholds, defaults",
        "HPA, 70% utilization",
        "KEDA, 1.4 a replica",
    ]
    assert rows[1].outcome.replica_hours == pytest.approx(6 * 0.5 * 3 / 4, abs=0.1)
    assert (POLICY, 1.0) in heard


def test_least_fixed_fleet_just_holds_the_target() -> None:
    backtest = Backtest(SPEC, load(0.5, hours=0.5))
    row = backtest.least_fixed(lambda _name, _share: None)
    assert row.replicas == 3  # 5 slots of work
    assert row.outcome.attainment >= 0.99


def test_policy_knows_the_history_before_the_past() -> None:
    times = START - np.arange(240, 0, -1) * 60.0
    told = Backtest(SPEC, load(0.5, hours=0.5, times=times, loads=np.full(240, 5.0)))
    quiet = Backtest(SPEC, load(0.5, hours=0.5))
    messages = []
    for each in (told, quiet):
        pilot: Scaler = each.pilot(SPEC)
        decision = pilot.pilot.decide(  # type: ignore[attr-defined]
            START, {"activeRequests": 5, "queueDepth": 0, "capacity": 8}, current=4, ready=4
        )
        messages.append(next(step.message for step in decision.steps if step.name == "forecast"))
    assert "still learning" in messages[1] or "no sample" in messages[1]
    assert messages[0].startswith("5.0 slots expected")


def test_metrics_without_a_past_are_left_out() -> None:
    metric = {"name": "tickets", "query": "sum(tickets)", "target": {"perReplica": "2"}}
    assert without_further({**SPEC, "metrics": [metric], "gates": []}) == SPEC


def test_picture_shows_the_policy_and_the_fixed_fleet() -> None:
    past = load(0.5, hours=0.5)
    rows = Backtest(SPEC, past).compare(lambda _name, _share: None)
    drawn = picture(past, rows, title="agents/research")
    assert drawn.startswith("<svg")
    assert "agents/research" in drawn
    assert "a fixed fleet of equal service: 3" in drawn


class Noting:
    """Lets another decide, and keeps what it saw and said."""

    def __init__(self, inner: Scaler) -> None:
        self.inner = inner
        self.seen: list[Sight] = []
        self.counts: list[int] = []

    def decide(self, seen: Sight) -> int:
        self.seen.append(seen)
        self.counts.append(self.inner.decide(seen))
        return self.counts[-1]


def test_pilot_decides_the_same_on_what_a_backtest_saw() -> None:
    backtest = Backtest(SPEC, load(0.5, hours=0.5))
    noting = Noting(backtest.pilot(SPEC))
    Replay(backtest.past, backtest.terms, replicas=1).run(noting)
    pilot = Pilot(SPEC)
    counts = [
        pilot.decide(
            seen.now, seen.readings, current=seen.current, ready=seen.ready, starting=seen.starting
        ).replicas
        for seen in noting.seen
    ]
    assert counts == noting.counts
    assert len(set(counts)) > 1
