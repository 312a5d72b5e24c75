"""`spare: Auto`: room for what the load may grow by while a replica starts."""

from dataclasses import replace
from datetime import timedelta
from math import sqrt

import pytest

from agentscaler.api.policy import parse_spec
from agentscaler.api.strategies import Demand
from agentscaler.decide import spares
from agentscaler.decide.decision import Level, Memory
from agentscaler.decide.engine import decide
from tests.unit.decide.worlds import MINUTE, NOON, OLD, SECOND, policy, seen

AUTO = policy(demand={"spare": "Auto"})


def drifted(spread: float = 1.0, echo: float = 0.0, changes: int = 100) -> Memory:
    """Give the memory of a load of 25 that has drifted by so much from poll to poll."""
    level = Level(NOON - 15 * SECOND, 25.0, 25.0, 0.0, spread, echo, changes)
    return replace(OLD, level=level)


def room(memory: Memory, lead: timedelta | None) -> float:
    assert isinstance(AUTO.sizing, Demand)
    snapshot = replace(seen(active_requests=25.0), lead=lead)
    return spares.room(AUTO, AUTO.sizing, snapshot, memory)


def test_room_is_the_drift_over_a_start_and_a_poll() -> None:
    """A load of 25 drifts by its root a poll; 45 s and a poll are four."""
    assert room(drifted(), 45 * SECOND) == pytest.approx(sqrt(25 * 4))


def test_slower_starts_take_more_room() -> None:
    quick, slow = (room(drifted(), lead) for lead in (MINUTE, 10 * MINUTE))
    assert quick < slow


def test_start_that_was_never_seen_is_taken_for_a_minute() -> None:
    assert room(drifted(), None) == room(drifted(), MINUTE)


def test_noise_takes_no_room() -> None:
    """After noise the load comes back: half of the spread, negative, is its echo."""
    assert room(drifted(spread=2.0, echo=-1.0), MINUTE) == 0


@pytest.mark.parametrize("memory", [OLD, drifted(changes=7)], ids=["nothing", "a few changes"])
def test_nothing_is_kept_while_too_little_was_seen(memory: Memory) -> None:
    assert room(memory, MINUTE) == 0


def test_decision_adds_the_room_to_the_need_and_says_so() -> None:
    asp = policy(demand={"spare": "Auto", "scaleUp": {"maxStep": 50}})
    snapshot = replace(seen(active_requests=25.0, wait=0.0), lead=45 * SECOND)
    plain = decide(policy(demand={"scaleUp": {"maxStep": 50}}), snapshot, drifted())
    spared = decide(asp, snapshot, drifted())
    assert spared.replicas == plain.replicas + 2  # 25 and 10 slots, of 4
    assert ", and 10.0 more for what a start of 45s may bring" in spared.message


def test_idle_fleet_keeps_none() -> None:
    assert decide(AUTO, seen(), replace(OLD, level=None)).steps[0].after == 0


def test_auto_is_read_and_written() -> None:
    spec = {"scaleTargetRef": {"name": "agent"}, "demand": {"spare": "Auto"}}
    written = parse_spec(spec).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert written["demand"] == {"spare": "Auto"}


def test_what_is_neither_says_what_to_write() -> None:
    with pytest.raises(ValueError, match="a share like 25%, or Auto"):
        policy(demand={"spare": "some"})
