"""Profiles: nested by task, right percentiles, bounded memory, exported."""

import asyncio
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from agentscaler.runtime import telemetry
from agentscaler.runtime.profiling import KEPT_SAMPLES, MAX_OPERATIONS, Profiler, percentile
from tests.unit.runtime.worlds import LABELS, POD, ManualClock, settle


class Timed:
    """A profiler whose operations take as long as they are told to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.profiler = Profiler(clock=self.clock)

    async def run(self, name: str, *seconds: float) -> None:
        for each in seconds:
            async with self.profiler.profile(name):
                self.clock.advance(each)


async def test_figures_are_those_of_the_runs() -> None:
    timed = Timed()
    await timed.run("plan", *(float(number) for number in range(1, 21)))
    (stats,) = timed.profiler.stats()
    assert (stats.name, stats.count) == ("plan", 20)
    assert stats.mean == pytest.approx(10.5)
    assert (stats.minimum, stats.maximum) == (1, 20)
    assert (stats.p50, stats.p90, stats.p95) == (10, 18, 19)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=300), st.sampled_from([50, 90, 95]))
def test_percentile_is_the_smallest_that_enough_samples_do_not_exceed(
    samples: list[int], percent: int
) -> None:
    found = percentile(sorted(samples), percent)

    def share(value: float) -> Fraction:
        return Fraction(sum(each <= value for each in samples), len(samples))

    assert share(found) >= Fraction(percent, 100)
    smaller = [each for each in samples if each < found]
    assert not smaller or share(max(smaller)) < Fraction(percent, 100)


async def test_memory_is_bounded_in_samples_and_in_names() -> None:
    timed = Timed()
    await timed.run("many", *([1.0] * KEPT_SAMPLES), *([3.0] * KEPT_SAMPLES))
    for number in range(2 * MAX_OPERATIONS):
        await timed.run(f"item-{number}", 1.0)
    stats = {each.name: each for each in timed.profiler.stats()}
    assert (stats["many"].count, stats["many"].mean) == (2 * KEPT_SAMPLES, 3.0)
    assert len(timed.profiler._runs["many"].newest) == KEPT_SAMPLES
    assert len(stats) == MAX_OPERATIONS + 1
    assert stats["other"].count == MAX_OPERATIONS + 1


async def test_operations_nest_within_their_task_only() -> None:
    profiler = Profiler(clock=ManualClock())
    paths: list[str] = []

    async def agent(name: str) -> None:
        async with profiler.profile(name):
            await asyncio.sleep(0)
            async with profiler.profile("llm", {"model": "small"}) as operation:
                await asyncio.sleep(0)
                paths.append(operation.path)
                assert operation.metadata == {"model": "small"}

    await asyncio.gather(agent("a"), agent("b"))
    assert sorted(paths) == ["a/llm", "b/llm"]


async def test_task_is_a_child_of_the_operation_that_started_it() -> None:
    profiler = Profiler(clock=ManualClock())

    async def child() -> str:
        async with profiler.profile("tool") as operation:
            return operation.path

    async with profiler.profile("plan"):
        started = asyncio.create_task(child())
    async with profiler.profile("later"):
        assert await started == "plan/tool"


async def test_failed_and_cancelled_operations_are_timed_and_left() -> None:
    timed = Timed()

    async def hang() -> None:
        async with timed.profiler.profile("hang"):
            timed.clock.advance(2)
            await asyncio.Event().wait()

    hanging = asyncio.create_task(hang())
    await settle()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    with pytest.raises(ZeroDivisionError):
        async with timed.profiler.profile("fail"):
            raise ZeroDivisionError
    async with timed.profiler.profile("next") as operation:
        assert operation.parent is None
    assert [(each.name, each.maximum) for each in timed.profiler.stats()][1] == ("hang", 2)


async def test_bottleneck_is_a_tail_far_above_the_mean_sorted_by_it() -> None:
    timed = Timed()
    await timed.run("steady", *([2.0] * 20))
    await timed.run("database", *([0.01] * 17), *([0.5] * 3))
    await timed.run("llm", *([0.1] * 17), *([9.0] * 3))
    found = [(each.stats.name, each.severity) for each in timed.profiler.bottlenecks()]
    assert found == [("llm", "high"), ("database", "medium")]


async def test_times_are_exported_for_the_analyzer() -> None:
    registry, clock = CollectorRegistry(), ManualClock()
    for _ in range(2):  # a second profiler counts on in the same series
        profiler = Profiler(POD, registry=registry, clock=clock)
        async with profiler.profile("llm"):
            clock.advance(1.5)
    labels = LABELS | {"operation": "llm"}
    name = "agent_operation_duration_seconds"
    assert registry.get_sample_value(f"{name}_sum", labels) == 3.0
    assert registry.get_sample_value(f"{name}_bucket", labels | {"le": "1.0"}) == 0
    assert registry.get_sample_value(f"{name}_bucket", labels | {"le": "2.5"}) == 2


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


async def test_operations_are_spans_where_opentelemetry_is_installed(
    spans: InMemorySpanExporter,
) -> None:
    profiler = Profiler(clock=ManualClock())
    said = {"model": "small", "tokens": 7, "body": [1]}
    async with profiler.profile("plan"), profiler.profile("llm", said):
        pass
    llm, plan = spans.get_finished_spans()
    assert (llm.name, plan.name) == ("llm", "plan")
    assert llm.parent is not None
    assert llm.parent.span_id == plan.context.span_id
    assert dict(llm.attributes or {}) == {"model": "small", "tokens": 7}


async def test_failure_marks_its_span(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Profiler(clock=ManualClock()).profile("plan"):
            raise ZeroDivisionError
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok


async def test_operations_are_timed_without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "trace", None)
    timed = Timed()
    await timed.run("plan", 1.0)
    assert math.isclose(timed.profiler.stats()[0].mean, 1.0)
