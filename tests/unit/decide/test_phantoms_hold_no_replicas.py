"""Phantom load: a counter that never falls holds replicas for a bounded time."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from agentscaler.api.signals import SignalName
from agentscaler.decide import phantoms
from agentscaler.decide.decision import Decision, Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.limits import Still
from agentscaler.decide.snapshot import Reading, Snapshot
from tests.unit.decide.worlds import MINUTE, NOON, OLD, UNKNOWN, outlook, policy, seen, watched

HOUR = timedelta(hours=1)
SPEC = policy(demand={"scaleDown": {"maxStep": 100, "cooldown": "0s"}})


def quiet(at: datetime = NOON, **moved: Reading) -> Snapshot:
    """Give a fleet that does nothing but report 12 requests in service."""
    still: dict[str, Reading] = {
        "active_requests": 12.0,
        "queue_depth": 0.0,
        "arrival_rate": 0.0,
        "completion_rate": 0.0,
    }
    shown = {SignalName[name.upper()]: value for name, value in {**still, **moved}.items()}
    return replace(seen(at, replicas=6), signals=shown)


def knowing(still: Still) -> Memory:
    return replace(OLD, limits=replace(OLD.limits, still=still))


def reasons(decision: Decision) -> list[str]:
    return [step.reason for step in decision.steps]


def test_requests_that_never_move_hold_replicas_for_an_hour_and_no_longer() -> None:
    memory, counts = OLD, []
    for minute in range(61):
        decision = decide(SPEC, quiet(NOON + minute * MINUTE), memory)
        memory = decision.memory
        counts.append(decision.replicas)
    assert set(counts[:60]) == {counts[0]}
    assert counts[0] > 3
    assert counts[60] == 1
    assert "PhantomLoad" in reasons(decision)


def test_time_is_the_policys() -> None:
    spec = policy(limits={"phantomAfter": "5m"})
    memory = watched(decide(spec, quiet(), OLD).memory)
    early = decide(spec, quiet(NOON + 5 * MINUTE - timedelta(seconds=1)), memory)
    late = decide(spec, quiet(NOON + 5 * MINUTE), memory)
    assert ["PhantomLoad" in reasons(each) for each in (early, late)] == [False, True]


@pytest.mark.parametrize(
    "moved",
    [
        {"arrival_rate": 0.1},
        {"completion_rate": 0.1},
        {"queue_depth": 1.0},
        {"active_requests": 11.0},
        {"active_requests": 13.0},
        {"arrival_rate": UNKNOWN},
        {"completion_rate": UNKNOWN},
        {"active_requests": UNKNOWN},
    ],
    ids=str,
)
def test_anything_that_moves_or_is_unknown_begins_the_hour_anew(moved: dict[str, Reading]) -> None:
    known = knowing(Still(12.0, NOON - HOUR))
    still = decide(SPEC, quiet(NOON, **moved), known).memory.limits.still
    assert still is None or (still.since, still.phantom) == (NOON, False)


def test_phantom_is_left_out_when_real_work_comes() -> None:
    known = knowing(Still(12.0, NOON - HOUR, phantom=True))
    with_work = decide(SPEC, quiet(active_requests=20.0, arrival_rate=1.0), known)
    assert with_work.steps[0].message.startswith("8 busy")
    assert with_work.memory.limits.still == Still(12.0, NOON - HOUR, phantom=True)


def test_phantom_is_left_out_of_what_is_expected() -> None:
    known = knowing(Still(12.0, NOON - HOUR, phantom=True))
    expecting = replace(quiet(), outlook=outlook(13.0))
    assert decide(SPEC, expecting, known).replicas == decide(SPEC, quiet(), known).replicas == 1


def test_idle_fleet_has_no_phantom_of_nothing() -> None:
    assert decide(SPEC, quiet(active_requests=0.0), OLD).memory.limits.still is None


def test_single_request_that_never_ends_is_a_phantom_too() -> None:
    memory = watched(decide(SPEC, quiet(active_requests=1.0), OLD).memory)
    later = decide(SPEC, quiet(NOON + HOUR, active_requests=1.0), memory)
    assert "PhantomLoad" in reasons(later)


@pytest.mark.parametrize(
    ("expected", "upper", "left"), [(9.0, 13.0, (0.0, 1.0)), (15.0, 20.0, (3.0, 8.0))]
)
def test_nothing_less_than_nothing_is_expected_without_the_phantom(
    expected: float, upper: float, left: tuple[float, float]
) -> None:
    shown = replace(quiet(), outlook=outlook(upper, expected=expected))
    found = phantoms.without(shown, Still(12.0, NOON - HOUR, phantom=True))
    assert found.outlook is not None
    assert (found.outlook.expected, found.outlook.upper) == left


def test_fewer_requests_than_the_phantom_are_none() -> None:
    found = phantoms.without(quiet(active_requests=5.0), Still(12.0, NOON, phantom=True))
    assert found.signals[SignalName.ACTIVE_REQUESTS] == 0.0


def test_phantom_shrinks_with_the_counter_and_is_forgotten_at_zero() -> None:
    known = knowing(Still(12.0, NOON - HOUR, phantom=True))
    fewer = decide(SPEC, quiet(active_requests=5.0), known).memory.limits.still
    assert fewer == Still(5.0, NOON - HOUR, phantom=True)
    assert decide(SPEC, quiet(active_requests=0.0), known).memory.limits.still is None


def test_phantom_stays_known_while_nothing_can_be_read() -> None:
    known = knowing(Still(12.0, NOON - HOUR, phantom=True))
    blind = decide(SPEC, quiet(active_requests=UNKNOWN), known)
    assert blind.replicas == 6
    assert blind.memory.limits.still == known.limits.still


@pytest.mark.parametrize(("left", "counted"), [(5.0, 5.0), (1.0, 1.0), (0.5, 0.5)])
def test_phantom_is_what_is_left_of_it(left: float, counted: float) -> None:
    phantom = knowing(Still(12.0, NOON - 2 * HOUR, phantom=True))
    found = decide(SPEC, quiet(active_requests=left), phantom).memory.limits.still
    assert found == Still(counted, NOON - 2 * HOUR, phantom=True)


def test_forecast_below_the_phantom_expects_nothing() -> None:
    phantom = knowing(Still(12.0, NOON - 2 * HOUR, phantom=True))
    view = replace(quiet(), outlook=outlook(8.0))
    said = next(s.message for s in decide(SPEC, view, phantom).steps if s.name == "forecast")
    assert said.startswith("0.0 slots expected in 1m, at most 0.0, need 0 replicas")
