"""What policies want to know, and how few queries that takes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from agentscaler import promql
from agentscaler.api.signals import EmptyResult, Preset, SignalName
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import asks, expressions, presets
from agentscaler.observe.asks import Custom, Server
from agentscaler.observe.expressions import Grouped, Ratio
from agentscaler.observe.presets import Exported, Kind
from agentscaler.observe.tenancy import CONFINED
from agentscaler.promql import Shape
from tests.unit.observe.worlds import metric, policy

QUEUE = SignalName.QUEUE_DEPTH
WORK = {SignalName.QUEUE_DEPTH, SignalName.ACTIVE_REQUESTS, SignalName.CAPACITY}
FLOW = {SignalName.ARRIVAL_RATE, SignalName.COMPLETION_RATE, SignalName.WAIT, SignalName.LATENCY}
TICKETS = [metric("tickets", "sum(tickets_open)")]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, WORK | FLOW, id="demand"),
        pytest.param(
            {"threshold": {}},
            WORK | {SignalName.LATENCY, SignalName.ERROR_RATIO},
            id="threshold",
        ),
        pytest.param(
            {"signals": {"capacity": {"perReplica": 4}}},
            (WORK | FLOW) - {SignalName.CAPACITY},
            id="capacity as told",
        ),
        pytest.param({"metrics": TICKETS}, set(), id="metrics only"),
        pytest.param({"metrics": TICKETS, "demand": {}}, WORK | FLOW, id="metrics beside demand"),
        pytest.param(
            {"signals": {"pendingLlmCalls": {}}},
            WORK | FLOW | {SignalName.PENDING_LLM_CALLS},
            id="a signal that the author set",
        ),
        pytest.param(
            {"signals": {"preset": "vllm"}},
            (WORK | FLOW) - {SignalName.ARRIVAL_RATE},
            id="what an engine does not export and nobody needs",
        ),
    ],
)
def test_only_signals_that_a_policy_needs_are_asked(
    spec: dict[str, Any], expected: set[SignalName]
) -> None:
    assert asks.needed(policy(**spec).spec) == expected


def queries_of(*specs: Mapping[str, Any], policies: int = 1) -> int:
    wants = [
        asks.wants_of(policy(f"agent-{number}", namespace=f"team-{number % 7}", **spec))
        for number in range(policies)
        for spec in specs
    ]
    return sum(len(plan.grouped) + len(plan.custom) for plan in asks.plan(wants).values())


@pytest.mark.parametrize("policies", [1, 10, 200])
def test_number_of_queries_does_not_grow_with_the_policies(policies: int) -> None:
    assert queries_of({}, policies=policies) == queries_of({}) == 7


def test_strategies_share_their_queries() -> None:
    assert queries_of({"threshold": {}}, policies=50) == 6
    assert queries_of({}, {"threshold": {}}, policies=50) == 8


def test_each_quantile_of_a_histogram_is_one_query() -> None:
    quantiles = [{"signals": {"latency": {"quantile": f"{each}%"}}} for each in (50, 95, 99)]
    assert queries_of(*quantiles, policies=20) == 7 + 2


def test_metric_named_by_many_policies_is_one_query() -> None:
    spec = {"metrics": TICKETS, "signals": {"queueDepth": {"metric": "jobs_waiting"}}}
    assert queries_of(spec, policies=40) == 7 + 1


@pytest.mark.parametrize("preset", list(Preset))
def test_every_query_of_a_preset_is_sound(preset: Preset) -> None:
    naming = presets.PRESETS[preset].naming
    assert set(presets.PRESETS[preset].signals) >= {QUEUE, SignalName.ACTIVE_REQUESTS}
    for exported in presets.PRESETS[preset].signals.values():
        parts = [exported] if isinstance(exported, Exported) else [exported.failed, exported.ended]
        for part in parts:
            query = expressions.grouped(part, naming).query
            assert promql.shape_of(query) is Shape.VECTOR


def source_of(name: SignalName, **spec: Any) -> asks.Source:
    return asks.want_of(policy(**spec).spec, name).source


@pytest.mark.parametrize(
    ("name", "field", "chosen", "kind"),
    [
        (QUEUE, "queueDepth", "jobs_waiting", Kind.GAUGE),
        (QUEUE, "queueDepth", "jobs_total", Kind.RATE),
        (SignalName.LATENCY, "latency", "took_seconds", Kind.QUANTILE),
        (SignalName.WAIT, "wait", "waited_seconds_bucket", Kind.QUANTILE),
        (SignalName.ERROR_RATIO, "errorRatio", "failed_ratio", Kind.SHARE),
    ],
)
def test_metric_that_a_policy_names_is_read_as_what_it_is(
    name: SignalName, field: str, chosen: str, kind: Kind
) -> None:
    source = source_of(name, signals={field: {"metric": chosen}})
    assert isinstance(source, Grouped)
    assert source.kind is kind
    assert promql.shape_of(source.query) is Shape.VECTOR
    assert "_bucket_bucket" not in source.query


def test_counter_named_for_the_error_ratio_is_split_by_outcome() -> None:
    source = source_of(SignalName.ERROR_RATIO, signals={"errorRatio": {"metric": "done_total"}})
    assert isinstance(source, Ratio)
    assert 'done_total{outcome!="ok"}' in source.part.query
    assert "rate(done_total[1m])" in source.whole.query


def test_window_of_rates_is_a_choice_of_the_operator() -> None:
    wants = asks.wants_of(policy(), timedelta(minutes=5))
    assert any("[5m]" in plan.query for plan in asks.plan([wants])[Server()].grouped)


def test_query_of_a_policy_replaces_the_metric() -> None:
    want = asks.want_of(
        policy(signals={"queueDepth": {"query": "sum(jobs)", "emptyResult": "Zero"}}).spec, QUEUE
    )
    assert want == asks.Want(Custom("sum(jobs)", Shape.VECTOR), EmptyResult.ZERO)


def test_query_in_an_unknown_dialect_is_left_to_the_server() -> None:
    source = source_of(QUEUE, signals={"queueDepth": {"query": "keep_last_value(jobs)"}})
    assert source == Custom("keep_last_value(jobs)", None)


def test_query_that_can_give_no_number_is_not_asked() -> None:
    source = source_of(QUEUE, signals={"queueDepth": {"query": "jobs[5m]"}})
    assert isinstance(source, Missing)
    assert source.why is Why.REFUSED
    assert queries_of({"metrics": [metric("text", '"text"')], "signals": {}}) == 7


@pytest.mark.parametrize(
    ("polling", "seconds"), [("1s", 120), ("15s", 120), ("30s", 120), ("1m", 240), ("10m", 2400)]
)
def test_sample_is_stale_after_four_polls_but_not_before_two_minutes(
    polling: str, seconds: float
) -> None:
    assert asks.wants_of(policy(pollingInterval=polling)).stale_seconds == seconds


def test_agent_is_the_target_unless_the_policy_says_otherwise() -> None:
    assert asks.agent_of(policy("research")) == ("agents", "research")
    assert asks.agent_of(policy("research", signals={"agent": "solver"})) == ("agents", "solver")


def test_server_and_secret_are_those_of_the_policy() -> None:
    source = {"serverAddress": "http://thanos:9090/", "authSecretRef": {"name": "reader"}}
    assert asks.server_of(policy(prometheus=source)) == Server(
        "http://thanos:9090", ("agents", "reader")
    )
    assert asks.server_of(policy()) == Server(None, None)


def test_each_server_has_a_plan_of_its_own() -> None:
    there = {"serverAddress": "http://thanos:9090"}
    wants = [asks.wants_of(policy("a")), asks.wants_of(policy("b", prometheus=there))]
    plans = asks.plan(wants)
    assert set(plans) == {Server(), Server("http://thanos:9090")}
    assert {len(plan.grouped) for plan in plans.values()} == {7}


def test_what_most_policies_ask_goes_first() -> None:
    rare = policy("a", signals={"queueDepth": {"metric": "a_queue"}})
    wants = [asks.wants_of(each) for each in (rare, policy("b"), policy("c"))]
    subjects = [grouped.subject for grouped in asks.plan(wants)[Server()].grouped]
    assert subjects[-1] == "a_queue"


def refusals_of(**signal: Any) -> asks.Want:
    provider = {"name": "openai", "rateLimitedRatio": signal}
    return asks.wants_of(policy(limits={"providers": [provider]})).providers["openai"]


def test_what_most_namespaces_ask_goes_before_what_one_asks_often() -> None:
    often = [policy(name, signals={"queueDepth": {"metric": "own"}}) for name in "abc"]
    usual = [policy("p", namespace=namespace) for namespace in ("one", "two")]
    (plan,) = asks.plan([asks.wants_of(each) for each in [*often, *usual]]).values()
    subjects = [each.subject for each in plan.grouped]
    assert subjects.index("own") > subjects.index("agent_queue_depth")


def test_query_that_names_no_series_is_asked_once_for_all_namespaces() -> None:
    both = [
        policy(namespace=namespace, metrics=[metric("m", "vector(4)")]) for namespace in ("a", "b")
    ]
    (plan,) = asks.plan([asks.wants_of(each, tenancy=CONFINED) for each in both]).values()
    assert [each.query for each in plan.custom] == ["vector(4)"]


def test_refusals_are_those_of_the_provider_among_all_calls_of_the_runtime() -> None:
    source = refusals_of().source
    assert isinstance(source, Ratio)
    counted = "agent_llm_responses_total"
    refused = 'provider="openai",outcome="rate_limited"'
    assert f"{counted}{{{refused}}}[1m]" in source.part.query
    assert f'{counted}{{provider="openai"}}[1m]' in source.whole.query
    assert "sum by (namespace, agent)" in source.whole.query


def test_refusals_of_many_policies_are_two_queries() -> None:
    spec = {"limits": {"providers": [{"name": "openai"}]}}
    assert queries_of(spec, policies=9) == queries_of({}, policies=9) + 2


def test_refusals_come_from_a_query_or_a_gauge_where_the_policy_says_so() -> None:
    assert refusals_of(query="max(r)", emptyResult="Zero") == asks.Want(
        Custom("max(r)", promql.shape_of("max(r)")), EmptyResult.ZERO
    )
    gauge = refusals_of(metric="proxy_rejected_ratio").source
    assert isinstance(gauge, Grouped)
    assert gauge.kind is Kind.SHARE
    assert 'proxy_rejected_ratio{provider="openai"}' in gauge.query
