"""What the signals say about the work: of no replicas, of small ones, and where they are silent."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agentscaler.api.signals import SignalName
from agentscaler.decide import work
from agentscaler.decide.decision import Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Reading, Why
from tests.unit.decide.worlds import NOON, SECOND, UNKNOWN, policy, seen

EMPTY = Missing(Why.EMPTY, "no series")
MEASURED = policy(signals={})
FRESH = Memory(since=NOON)


@pytest.mark.parametrize(
    ("signal", "why", "replicas", "known"),
    [
        (SignalName.ACTIVE_REQUESTS, Why.EMPTY, 0, True),
        (SignalName.CAPACITY, Why.STALE, 0, True),
        (SignalName.QUEUE_DEPTH, Why.EMPTY, 0, False),
        (SignalName.ACTIVE_REQUESTS, Why.TIMEOUT, 0, False),
        (SignalName.ACTIVE_REQUESTS, Why.EMPTY, 1, False),
    ],
    ids=["service of none", "slots of none", "queue of none", "no answer", "service of one"],
)
def test_silence_is_zero_only_of_what_no_replica_could_tell(
    signal: SignalName, why: Why, replicas: int, *, known: bool
) -> None:
    missing = Missing(why)
    view = replace(seen(replicas=replicas), signals={signal: missing})
    found = work.signal(view, signal)
    assert found == (0.0 if known else missing)


@pytest.mark.parametrize(
    ("active", "queued", "load"),
    [(3.0, 2.0, 5.0), (UNKNOWN, 2.0, None), (3.0, UNKNOWN, None)],
    ids=["both", "service unknown", "queue unknown"],
)
def test_load_is_all_that_is_served_or_waits(
    active: Reading, queued: Reading, load: float | None
) -> None:
    assert work.load(seen(active_requests=active, queue_depth=queued).signals) == load


@pytest.mark.parametrize(
    ("ready", "slots", "each"),
    [(4, 8.0, 2.0), (1, 1.0, 1.0), (4, 1.0, 0.25)],
    ids=["two each", "one of one", "one between four"],
)
def test_slots_of_a_replica_are_measured_and_remembered(
    ready: int, slots: float, each: float
) -> None:
    view = seen(replicas=ready, capacity=slots)
    assert work.slots_per_replica(MEASURED, view, FRESH) == each
    assert decide(MEASURED, view, FRESH).memory.slots_per_replica == each


@pytest.mark.parametrize(
    ("ready", "slots"),
    [(4, 0.0), (0, 8.0), (4, EMPTY)],
    ids=["no slots", "none ready", "nothing told"],
)
def test_slots_that_cannot_be_measured_are_unknown_and_not_remembered(
    ready: int, slots: Reading
) -> None:
    view = seen(ready=ready, capacity=slots)
    assert isinstance(work.slots_per_replica(MEASURED, view, FRESH), Missing)
    assert decide(MEASURED, view, FRESH).memory.slots_per_replica is None


def test_fleet_without_slots_says_which_field_gives_them() -> None:
    told = str(work.capacity(MEASURED, seen(capacity=EMPTY), FRESH))
    assert "set spec.signals.capacity.perReplica" in told


@pytest.mark.parametrize(("late", "overdue"), [(-SECOND, False), (SECOND, True)])
def test_one_replica_that_starts_is_overdue_after_the_deadline(
    late: timedelta, *, overdue: bool
) -> None:
    spec = policy(startupDeadline="5m")
    asked = Memory(since=NOON - timedelta(hours=1), last_up=NOON - timedelta(minutes=5) - late)
    assert work.is_overdue(spec, seen(replicas=4, ready=3), asked) == overdue
    assert not work.is_overdue(spec, seen(replicas=4), asked)


def test_replica_has_all_of_its_deadline() -> None:
    asked = Memory(since=NOON - timedelta(minutes=5))
    assert not work.is_overdue(policy(startupDeadline="5m"), seen(ready=3), asked)


@pytest.mark.parametrize(
    ("active", "slots", "share"),
    [(1.0, 0.5, 2.0), (1.0, 4.0, 0.25), (3.0, 0.0, 1.0), (0.0, 0.0, 0)],
)
def test_utilization_is_the_busy_share(active: float, slots: float, share: float) -> None:
    assert work.utilization(active, slots) == share


@pytest.mark.parametrize(
    ("queued", "slots", "share"),
    [(1.0, 1.0, 0.5), (4.0, 4.0, 0.5), (90.0, 4.0, 1.0), (3.0, 0.0, 1.0), (0.0, 0.0, 0)],
)
def test_pressure_is_the_queue_against_twice_the_slots(
    queued: float, slots: float, share: float
) -> None:
    assert work.queue_pressure(queued, slots) == share


@pytest.mark.parametrize(
    ("active", "ended", "seconds"),
    [(20.0, 10.0, 2.0), (1.0, 0.1, 10.0), (0.5, 1.0, 0.5), (1.0, 1e6, 0.001)],
    ids=["many", "one long", "one short", "shorter than can be seen"],
)
def test_time_of_service_is_requests_over_completions(
    active: float, ended: float, seconds: float
) -> None:
    view = seen(active_requests=active, completion_rate=ended)
    assert work.service_seconds(view) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("active", "ended"),
    [(0.0, 1.0), (1.0, 0.0), (UNKNOWN, 1.0), (1.0, UNKNOWN)],
    ids=["idle", "nothing ends", "service unknown", "ends unknown"],
)
def test_time_of_service_is_unknown_where_nothing_is_served(
    active: Reading, ended: Reading
) -> None:
    assert work.service_seconds(seen(active_requests=active, completion_rate=ended)) is None
