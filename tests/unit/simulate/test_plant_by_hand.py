"""The pool on cases small enough to be worked out on paper."""

import pytest

from agentscaler.simulate.plant import Plant
from agentscaler.simulate.provider import Provider
from agentscaler.simulate.workload import Request


def plant_with(*pods: str, slots: int = 1, provider: Provider | None = None) -> Plant:
    plant = Plant(slots, wait_target=5.0, provider=provider or Provider())
    for name in pods:
        plant.pod_created(name)
        plant.pod_ready(name)
    return plant


def test_a_second_request_waits_for_the_only_slot() -> None:
    plant = plant_with("a")
    plant.arrive(Request(0, 10))
    plant.arrive(Request(2, 3))
    plant.advance(13)
    assert list(plant.tally.waits) == [0, 8]
    assert (plant.tally.late, plant.tally.succeeded) == (1, 2)
    assert plant.tally.attainment() == 0.5


def test_the_pod_with_the_fewest_in_flight_is_chosen() -> None:
    plant = plant_with("a", "b", slots=2)
    for at in range(3):
        plant.arrive(Request(at, 100))
    assert [len(pod.in_service) for pod in plant.pods.values()] == [2, 1]
    plant.arrive(Request(3, 100))
    assert [len(pod.in_service) for pod in plant.pods.values()] == [2, 2]


def test_replicas_are_paid_from_creation_until_gone() -> None:
    plant = plant_with("a")
    plant.advance(10)
    plant.pod_created("b")
    plant.advance(15)
    plant.pod_ready("b")
    plant.advance(40)
    plant.pod_gone("b")
    plant.advance(60)
    assert plant.tally.replica_seconds == 60 + 30
    assert plant.tally.replica_hours == pytest.approx(90 / 3600)


def test_a_retired_pod_is_paid_until_its_last_request_ended() -> None:
    plant = plant_with("a", "b", slots=2)
    plant.arrive(Request(0, 10))
    plant.arrive(Request(0, 4))
    plant.pod_retired("a")
    plant.pod_retired("b")
    plant.advance(20)
    assert plant.tally.replica_seconds == 10 + 4
    assert not plant.pods


def test_an_idle_retired_pod_goes_at_once_and_never_returns() -> None:
    plant = plant_with("a", "b")
    plant.arrive(Request(0, 10))
    plant.pod_retired("b")
    assert list(plant.pods) == ["a"]
    plant.pod_retired("a")
    plant.pod_ready("a")
    assert not plant.pods["a"].open


def test_what_a_lost_pod_served_ends_as_cut() -> None:
    plant = plant_with("a", slots=2)
    plant.arrive(Request(0, 10))
    plant.arrive(Request(1, 10))
    plant.arrive(Request(2, 10))
    plant.advance(5)
    plant.pod_gone("a")
    assert (plant.tally.cut, plant.in_service, len(plant.waiting)) == (2, 0, 1)
    plant.advance(100)
    assert plant.tally.succeeded == 0
    assert plant.tally.duration_histogram.total == 5 + 4


def test_a_pod_that_turns_unready_finishes_its_work_and_may_come_back() -> None:
    plant = plant_with("a")
    plant.arrive(Request(0, 2))
    plant.pod_closed("a")
    plant.arrive(Request(1, 2))
    plant.advance(6)
    assert (plant.tally.succeeded, len(plant.waiting)) == (1, 1)
    plant.pod_ready("a")
    assert list(plant.tally.waits) == [0, 5]


def test_failing_requests_end_as_errors() -> None:
    plant = plant_with("a")
    plant.arrive(Request(0, 1, fails=True))
    plant.arrive(Request(0, 1))
    plant.advance(2)
    assert (plant.tally.failed, plant.tally.succeeded) == (1, 1)


def test_a_provider_beyond_its_limit_slows_everybody() -> None:
    # Ten in service make 8 calls; a provider for 4 answers at half speed, so that a second of work
    # (0.2 own, 0.8 calls) takes 1.8 seconds.
    plant = plant_with("a", slots=10, provider=Provider(most_calls=4))
    for _ in range(10):
        plant.arrive(Request(0, 5))
    plant.advance(8.9)
    assert plant.in_service == 10
    plant.advance(9.1)
    assert plant.in_service == 0


def test_overdue_requests_count_against_the_attainment() -> None:
    plant = plant_with("a")
    plant.arrive(Request(0, 100))
    plant.arrive(Request(1, 1))
    plant.arrive(Request(8, 1))
    plant.advance(10)
    assert plant.overdue == 1
    assert plant.tally.attainment(plant.overdue) == 0.5


def test_a_span_is_scored_from_its_mark_on() -> None:
    plant = plant_with("a")
    plant.arrive(Request(0, 3))
    plant.advance(10)
    mark = plant.tally.copy()
    plant.arrive(Request(12, 2))
    plant.arrive(Request(13, 2))
    plant.advance(20)
    span = plant.tally.since(mark)
    assert (span.replica_seconds, span.busy_seconds) == (10, 4)
    assert (span.arrivals, span.begun, span.succeeded, list(span.waits)) == (2, 2, 2, [0, 1])
    assert span.wait_histogram.total == 1
    assert span.duration_histogram.cumulative()[-1][1] == 2
    assert plant.tally.arrivals == 3


def test_time_never_runs_backwards() -> None:
    plant = plant_with("a")
    plant.advance(5)
    with pytest.raises(ValueError, match="backwards"):
        plant.arrive(Request(4, 1))


def test_two_pods_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="already"):
        plant_with("a", "a")
