"""Rules of the pool that hold for every load and every coming and going of pods."""

from collections import deque
from heapq import heappop, heappush
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.simulate.plant import Plant
from agentscaler.simulate.provider import Provider
from agentscaler.simulate.workload import Request

GAPS = st.floats(0, 5)
WORKS = st.floats(0.01, 20)
SLOTS = st.integers(1, 5)
PODS = [f"pod-{number}" for number in range(6)]
POD_EVENTS = ("created", "ready", "closed", "retired", "gone")
ACTS = st.tuples(
    GAPS,
    st.one_of(
        st.tuples(st.just("arrive"), WORKS),
        st.tuples(st.sampled_from(POD_EVENTS), st.sampled_from(PODS)),
    ),
)


def act(plant: Plant, gap: float, what: str, whom: str | float) -> None:
    """Do what makes sense for the pod named; leave out the rest."""
    if isinstance(whom, float):
        plant.arrive(Request(plant.now + gap, whom))
        return
    plant.advance(plant.now + gap)
    if (what == "created") != (whom in plant.pods):
        getattr(plant, f"pod_{what}")(whom)


def conserved(plant: Plant) -> bool:
    tally = plant.tally
    ended = tally.succeeded + tally.failed + tally.cut
    return tally.arrivals == len(plant.waiting) + plant.in_service + ended


@given(st.lists(ACTS, max_size=80), SLOTS)
def test_plant_keeps_its_rules_whatever_happens(
    acts: list[tuple[float, tuple[str, str | float]]], slots: int
) -> None:
    plant = Plant(slots)
    for gap, (what, whom) in acts:
        act(plant, gap, what, whom)
        assert conserved(plant)
        assert plant.in_service == sum(len(pod.in_service) for pod in plant.pods.values())
        assert all(len(pod.in_service) <= slots for pod in plant.pods.values())
        idle_slot = any(pod.open and len(pod.in_service) < slots for pod in plant.pods.values())
        assert not (plant.waiting and idle_slot), "something waits although a slot is free"
    assert all(wait >= 0 for wait in plant.tally.waits)


@given(st.lists(ACTS, max_size=80), st.integers(1, 3))
def test_closed_pods_take_nothing_new(
    acts: list[tuple[float, tuple[str, str | float]]], slots: int
) -> None:
    plant = Plant(slots)
    for gap, (what, whom) in acts:
        before = {pod: set(pod.in_service) for pod in plant.pods.values() if not pod.open}
        act(plant, gap, what, whom)
        for pod, had in before.items():
            if not pod.open:
                assert set(pod.in_service) <= had


@given(st.lists(st.tuples(GAPS, WORKS), min_size=1, max_size=60), SLOTS, st.integers(1, 4))
def test_waits_equal_those_of_a_first_come_first_served_line(
    steps: list[tuple[float, float]], slots: int, pods: int
) -> None:
    plant = Plant(slots)
    for name in PODS[:pods]:
        plant.pod_created(name)
        plant.pod_ready(name)
    moments = list(accumulate(gap for gap, _ in steps))
    for at, (_, work) in zip(moments, steps, strict=True):
        plant.arrive(Request(at, work))
    plant.advance(moments[-1] + 10_000)
    expected = line(moments, [work for _, work in steps], servers=slots * pods)
    assert list(plant.tally.waits) == pytest.approx(expected, abs=1e-6)


def line(moments: list[float], works: list[float], *, servers: int) -> list[float]:
    """Give the waits by the recursion of Kiefer and Wolfowitz: the next free server serves."""
    free: list[float] = []
    for _ in range(servers):
        heappush(free, 0.0)
    waits = []
    for at, work in zip(moments, works, strict=True):
        begins = max(at, heappop(free))
        heappush(free, begins + work)
        waits.append(begins - at)
    return waits


@given(st.lists(st.tuples(GAPS, WORKS), min_size=2, max_size=40), SLOTS)
def test_requests_begin_in_the_order_of_arrival(
    steps: list[tuple[float, float]], slots: int
) -> None:
    plant = Plant(slots)
    plant.pod_created("pod")
    plant.pod_ready("pod")
    arrived: deque[float] = deque()
    for gap, work in steps:
        arrived.append(plant.now + gap)
        plant.arrive(Request(plant.now + gap, work))
    plant.advance(plant.now + 10_000)
    begins = [at + wait for at, wait in zip(arrived, plant.tally.waits, strict=True)]
    assert begins == sorted(begins)


@given(st.lists(st.tuples(GAPS, WORKS), min_size=1, max_size=40), st.integers(1, 8))
def test_a_limited_provider_only_delays(steps: list[tuple[float, float]], limit: int) -> None:
    ends = []
    for provider in (Provider(), Provider(limit)):
        plant = Plant(8, provider=provider)
        plant.pod_created("pod")
        plant.pod_ready("pod")
        for gap, work in steps:
            plant.arrive(Request(plant.now + gap, work))
        plant.advance(plant.now + 100_000)
        assert plant.tally.succeeded == len(steps)
        ends.append(plant.tally.duration_histogram.total)
    assert ends[1] >= ends[0] - 1e-6
