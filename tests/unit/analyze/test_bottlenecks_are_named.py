"""Recorded situations, each with the verdict, whether replicas would help, and what to do."""

from dataclasses import replace

import pytest

from agentscaler.analyze.bottlenecks import (
    Help,
    Operation,
    Severity,
    Situation,
    Usage,
    diagnose,
    strained,
    tails,
)
from agentscaler.analyze.recommendations import recommend, remedy_for
from agentscaler.api.status import Bottleneck
from agentscaler.decide.snapshot import Missing, Why

UNKNOWN = Missing(Why.EMPTY, "no series")
CALM = Situation(
    queued=0.0,
    active=2.0,
    capacity=8.0,
    latency=2.0,
    slow_above=5.0,
    current=2,
    ready=2,
)
QUEUED = replace(CALM, queued=12.0, active=8.0)
STEADY = Operation("plan", 0.4, 0.5)
HOT = Usage("cpu", 0.9, 1.0)


@pytest.mark.parametrize(
    ("seen", "verdict", "helping", "told"),
    [
        (CALM, Bottleneck.NONE, Help.NOT_NEEDED, "nothing holds"),
        (
            replace(QUEUED, refused={"openai": 0.3, "other": 0.01}),
            Bottleneck.PROVIDER_LIMIT,
            Help.NO,
            "openai refuses 30% of the calls for its limits while 12 requests wait",
        ),
        (
            replace(QUEUED, refused={"openai": 0.04}),
            Bottleneck.REPLICAS,
            Help.YES,
            "100% of the slots are busy while 12 requests wait",
        ),
        (
            replace(QUEUED, current=4),
            Bottleneck.REPLICAS_STARTING,
            Help.WAIT,
            "2 of 4 replicas asked for are starting",
        ),
        (
            replace(QUEUED, current=4, overdue=True, unscheduled=1.0),
            Bottleneck.CLUSTER_FULL,
            Help.NO,
            "2 of 4 replicas asked for stay unready: no node takes 1 of them",
        ),
        (
            replace(QUEUED, current=4, overdue=True, unscheduled=0.0),
            Bottleneck.REPLICAS_UNREADY,
            Help.NO,
            "2 of 4 replicas asked for stay unready although nodes took them",
        ),
        (
            replace(QUEUED, current=4, overdue=True, unscheduled=UNKNOWN),
            Bottleneck.REPLICAS_UNREADY,
            Help.NO,
            "no node takes them, or they cannot start (no series)",
        ),
        (
            replace(QUEUED, current=4, unscheduled=2.0),
            Bottleneck.REPLICAS_STARTING,
            Help.WAIT,
            "2 of 4 replicas asked for are starting",
        ),
        (
            replace(QUEUED, refused={"openai": 0.5, "other": 0.1}, calls={"openai": 19.0}),
            Bottleneck.PROVIDER_LIMIT,
            Help.NO,
            "other refuses 10% of the calls",
        ),
        (
            replace(QUEUED, refused={"openai": 1.0}, calls={"openai": 19.0}),
            Bottleneck.REPLICAS,
            Help.YES,
            "100% of the slots are busy",
        ),
        (
            replace(QUEUED, refused={"openai": 0.05}, calls={"openai": 20.0}),
            Bottleneck.PROVIDER_LIMIT,
            Help.NO,
            "openai refuses 5% of the calls",
        ),
        (replace(QUEUED, usages=(HOT,)), Bottleneck.COMPUTE, Help.YES, "cpu is used to 90%"),
        (
            replace(CALM, latency=30.0, operations=(STEADY, Operation("search", 20.0, 25.0))),
            Bottleneck.SLOW_OPERATION,
            Help.NO,
            "requests take 30s although slots are free: search is slowest",
        ),
        (
            replace(CALM, latency=30.0),
            Bottleneck.SLOW_OPERATION,
            Help.NO,
            "the model or a tool is slow",
        ),
        (replace(CALM, queued=3.0), Bottleneck.UNEVEN_LOAD, Help.NO, "slots are free while 3"),
        (replace(CALM, queued=UNKNOWN), Bottleneck.UNKNOWN, Help.UNKNOWN, "the queue is not known"),
        (replace(CALM, active=UNKNOWN), Bottleneck.UNKNOWN, Help.UNKNOWN, "the load is not known"),
        (
            replace(CALM, capacity=UNKNOWN),
            Bottleneck.UNKNOWN,
            Help.UNKNOWN,
            "the capacity is not known: no series",
        ),
        (replace(CALM, latency=UNKNOWN), Bottleneck.NONE, Help.NOT_NEEDED, "nothing holds"),
        (replace(CALM, capacity=0.0), Bottleneck.REPLICAS, Help.YES, "100% of the slots"),
        (replace(CALM, capacity=0.0, active=0.0), Bottleneck.NONE, Help.NOT_NEEDED, "nothing"),
        (
            replace(QUEUED, queued=UNKNOWN, refused={"openai": 0.05}),
            Bottleneck.PROVIDER_LIMIT,
            Help.NO,
            "openai refuses 5% of the calls for its limits: more",
        ),
    ],
    ids=[
        "calm",
        "provider",
        "few-refused",
        "starting",
        "full",
        "failing-to-start",
        "unready-unread",
        "unscheduled-but-in-time",
        "provider-of-few-calls-left-out",
        "few-calls",
        "just-enough-calls",
        "compute",
        "slow-operation",
        "slow-unprofiled",
        "uneven",
        "queue-unknown",
        "load-unknown",
        "capacity-unknown",
        "latency-unknown",
        "no-slots",
        "no-slots-no-work",
        "provider-queue-unknown",
    ],
)
def test_bottleneck_is_named_with_whether_replicas_help(
    seen: Situation, verdict: Bottleneck, helping: Help, told: str
) -> None:
    diagnosis = diagnose(seen)
    assert (diagnosis.verdict, diagnosis.help) == (verdict, helping)
    assert told in diagnosis.sentence


def test_usage_is_high_by_its_mean_and_medium_by_its_peak() -> None:
    found = strained(
        (HOT, Usage("memory", 0.5, 0.96), Usage("edge", 0.8, 0.95), Usage("disk", 0.1, 0.2))
    )
    assert [(each.subject.name, each.severity) for each in found] == [
        ("cpu", Severity.HIGH),
        ("memory", Severity.MEDIUM),
    ]


def test_operations_with_a_long_tail_are_told_worst_three_first() -> None:
    tailed = tuple(Operation(f"op-{p90:g}", p90 / 4, p90) for p90 in (0.8, 3.0, 9.0, 2.0))
    found = tails((STEADY, Operation("even", 1.0, 2.0), *tailed))
    assert [each.subject.name for each in found] == ["op-9", "op-3", "op-2"]
    assert {each.severity for each in found} == {Severity.HIGH}


def test_tail_is_urgent_only_above_a_second() -> None:
    found = tails((Operation("short", 0.1, 1.0), Operation("long", 0.1, 1.1)))
    assert [each.severity for each in found] == [Severity.HIGH, Severity.MEDIUM]


@pytest.mark.parametrize(
    ("operation", "remedy"),
    [
        ("call-LLM", "cache its answers or batch its calls"),
        ("db_read", "use a pool of connections or read replicas"),
        ("Database", "use a pool of connections or read replicas"),
        ("search", "profile it"),
    ],
)
def test_remedy_goes_by_the_name_of_the_operation(operation: str, remedy: str) -> None:
    assert remedy_for(operation) == remedy


@pytest.mark.parametrize(
    ("seen", "advice"),
    [
        (replace(CALM, refused={"openai": 0.5}), ["ask openai for a higher limit"]),
        (replace(CALM, current=5, overdue=True, unscheduled=3.0), ["add nodes, or lower"]),
        (replace(CALM, current=5, overdue=True), ["look at the pods that are not ready"]),
        (QUEUED, []),
        (replace(QUEUED, at_maximum=True), ["raise spec.maxReplicas"]),
        (
            replace(QUEUED, usages=(HOT,), at_maximum=True),
            ["raise spec.maxReplicas", "cpu: scale it"],
        ),
        (replace(CALM, usages=(Usage("memory", 0.1, 0.99),)), ["memory: watch it"]),
        (
            replace(CALM, latency=9.0, operations=(Operation("llm", 4.0, 9.0),)),
            ["llm: cache its answers or batch its calls"],
        ),
        (replace(CALM, latency=9.0), ["profile the agent"]),
        (replace(CALM, queued=1.0), ["spread requests by least connections"]),
        (CALM, []),
    ],
    ids=[
        "provider",
        "full",
        "unready",
        "replicas",
        "at-maximum",
        "compute",
        "watch",
        "slow",
        "unprofiled",
        "uneven",
        "calm",
    ],
)
def test_recommendations_begin_with_the_verdict_and_say_nothing_twice(
    seen: Situation, advice: list[str]
) -> None:
    told = recommend(seen, diagnose(seen))
    assert len(told) == len(advice)
    assert all(line.startswith(begin) for line, begin in zip(told, advice, strict=True))
