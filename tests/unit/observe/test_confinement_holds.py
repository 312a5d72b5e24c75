"""No query sees past its namespaces, however it is written; and what is confined stays the same."""

from typing import Any

import promql_parser
import pytest
from hypothesis import given

from agentscaler.api import crd
from agentscaler.api.signals import SignalName
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import asks, confinement
from agentscaler.observe.asks import Custom
from agentscaler.observe.expressions import Grouped
from agentscaler.observe.readings import Answers, join
from agentscaler.observe.tenancy import CONFINED, EVERYBODY, TRUSTING, Tenancy
from tests.unit.observe.queries import QUERIES
from tests.unit.observe.worlds import metric, policy

OURS = 'namespace="agents"'


@pytest.mark.parametrize(
    ("query", "confined"),
    [
        ("up", "up{<>}"),
        ("up{}", "up{<>}"),
        ('up{job="a"}', 'up{<>,job="a"}'),
        ('up{job="a",}', 'up{<>,job="a",}'),
        ('{__name__=~".+"}', '{<>,__name__=~".+"}'),
        ('{"tickets.open", team="a"}', '{<>,"tickets.open", team="a"}'),
        ('sum by (up) (rate(up{a="}"}[5m]))', 'sum by (up) (rate(up{<>,a="}"}[5m]))'),
        ("sum(up) without (job)", "sum(up{<>}) without (job)"),
        ("sum{a=`{`}", "sum{<>,a=`{`}"),
        ("up offset 5m", "up{<>} offset 5m"),
        ("up @ end() + up @ 12", "up{<>} @ end() + up{<>} @ 12"),
        (
            "max_over_time(rate(a[5m])[1h:1m] offset 1d)",
            "max_over_time(rate(a{<>}[5m])[1h:1m] offset 1d)",
        ),
        ("a[1h:]", "a{<>}[1h:]"),
        ("topk(scalar(a), b)", "topk(scalar(a{<>}), b{<>})"),
        ("a / ignoring(b) group_left(c) d", "a{<>} / ignoring(b) group_left(c) d{<>}"),
        ("a == bool b atan2 c", "a{<>} == bool b{<>} atan2 c{<>}"),
        ("a unless on() b", "a{<>} unless on() b{<>}"),
        ("-(a) + inf", "-(a{<>}) + inf"),
        ("a # or b {\n or c", "a{<>} # or b {\n or c{<>}"),
        ('a{ # "\n b="c"}', 'a{<>, # "\n b="c"}'),
        ('a{b="# "} or c', 'a{<>,b="# "} or c{<>}'),
        ("a{b='\\'}'}", "a{<>,b='\\'}'}"),
        (f"a{{{OURS}}}", f"a{{<>,{OURS}}}"),
        ('a{namespace=~".*"}', 'a{<>,namespace=~".*"}'),
        ('a{namespace!="agents"}', 'a{<>,namespace!="agents"}'),
        ('label_replace(a, "namespace", "other", "", "") or b',
         'label_replace(a{<>}, "namespace", "other", "", "") or b{<>}'),
        ("absent(a)", "absent(a{<>})"),
        ("job:a:rate5m", "job:a:rate5m{<>}"),
        ("vector(1) + time()", "vector(1) + time()"),
    ],
)  # fmt: skip
def test_matcher_is_in_every_selector_and_nothing_else_changes(query: str, confined: str) -> None:
    assert confinement.confine(query, ["agents"]) == confined.replace("<>", OURS)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ('a{b="c" or d="e"}', "joins matchers by `or`"),
        ("info(a)", "calls info()"),
        ("a # \r or b", "holds a control character"),
        ('a{b="\x00"}', "holds a control character"),
        ("keep_last_value(a)", "cannot be confined to its namespace: "),
        ("sum(((", "cannot be confined to its namespace: "),
        ("WITH (x = a) x", "cannot be confined to its namespace: "),
        ("offset", "write it in plain PromQL"),
        ("(" * 1023 + "a" + ")" * 1023, "has too many parts"),
        ("a" + " + a" * 200, "has too many parts"),
        ('a{namespace="other"}', 'asks for namespace="other", but sees agents only'),
        ('a or sum(b{"namespace"="other"})', 'asks for namespace="other"'),
        ('a{namespace=""}', 'asks for namespace=""'),
    ],
)
def test_query_that_cannot_be_confined_is_refused(query: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        confinement.confine(query, ["agents"])
    assert why in str(refused.value)


def test_largest_query_is_still_confined() -> None:
    query = "a" + "+ a" * ((confinement.MOST_NODES - 1) // 2)
    assert confinement.confine(query, ["agents"]).count(OURS) == query.count("a")


def test_shared_namespaces_are_seen_too() -> None:
    confined = confinement.confine('a{namespace="rabbitmq"}', ["agents", "rabbitmq"])
    assert confined == 'a{namespace=~"agents|rabbitmq",namespace="rabbitmq"}'


@given(QUERIES)
def test_every_selector_carries_the_matcher(query: str) -> None:
    confined = confinement.confine(query, ["agents"])
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(confined), note)
    for selector in found:
        stated = [(each.name, each.value) for each in selector.matchers.matchers]
        assert ("namespace", "agents") in stated
    assert confined.count(OURS) == query.count("metric")


@given(QUERIES)
def test_confined_query_is_the_query_with_matchers(query: str) -> None:
    confined = confinement.confine(query, ["agents"])
    without = confined.replace(f"{{{OURS}}}", "").replace(f"{OURS},", "").replace(OURS, "")
    assert without.replace("{}", "") == query.replace("{}", "")


def test_policy_asks_confined_queries_unless_it_is_trusted() -> None:
    one = policy(
        signals={"queueDepth": {"query": "sum(jobs)"}},
        metrics=[metric("m", "sum(tickets)")],
        gates=[{"name": "g", "query": "max(used)", "above": "90%"}],
    )

    def queries(tenancy: Tenancy) -> set[str]:
        sources = asks.wants_of(one, tenancy=tenancy).sources()
        return {source.query for source in sources if isinstance(source, Custom)}

    plain = {"sum(jobs)", "sum(tickets)", "max(used)"}
    assert queries(CONFINED) == {query.replace(")", f"{{{OURS}}})") for query in plain}
    assert queries(TRUSTING) == plain
    assert queries(Tenancy(trusted=frozenset({"agents"}))) == plain
    assert queries(Tenancy(trusted=frozenset({"others"}))) == queries(CONFINED)


def test_refused_query_is_a_reading_that_says_why() -> None:
    wants = asks.wants_of(policy(metrics=[metric("m", 'a{namespace="b"}')]), tenancy=CONFINED)
    source = wants.metrics["m"].source
    assert isinstance(source, Missing)
    assert source.why is Why.REFUSED
    assert source.detail == 'the query asks for namespace="b", but sees agents only'


def test_empty_result_says_what_the_query_saw() -> None:
    wants = asks.wants_of(policy(metrics=[metric("m", "a")], signals={}), tenancy=CONFINED)
    none = Missing(Why.EMPTY, "the query finds no series")
    tables = {source.query: none for source in wants.sources() if isinstance(source, Grouped)}
    answers = Answers(0.0, grouped={}, custom={f"a{{{OURS}}}": none})
    only = asks.Wants(wants.server, wants.agent, 60.0, {}, wants.metrics, {})
    assert tables
    reading = join(only, answers).metrics["m"]
    assert reading == Missing(Why.EMPTY, "the query finds no series with namespace=agents")


def test_namespaces_that_are_seen_are_told() -> None:
    shared = Tenancy(trusted=frozenset({"ops"}), shared=frozenset({"mq", "db"}))
    assert shared.seen_from("agents") == ("agents", "db", "mq")
    assert shared.seen_from("mq") == ("mq", "db")
    assert shared.seen_from("ops") == ()
    assert Tenancy(trusted=frozenset({EVERYBODY})).seen_from("agents") == ()


# Every field that holds PromQL: where there is a new one, have `asks` confine it, and name it here.
CONFINED_FIELDS = {
    *(f"signals.{name.value}" for name in SignalName),
    "metrics[]",
    "gates[]",
    "limits.providers[].rateLimitedRatio",
}


def fields_with_queries(schema: dict[str, Any], path: str = "") -> set[str]:
    found = {path} if "query" in schema.get("properties", {}) else set()
    for name, part in schema.get("properties", {}).items():
        found |= fields_with_queries(part, f"{path}.{name}".removeprefix("."))
    if "items" in schema:
        found |= fields_with_queries(schema["items"], f"{path}[]")
    return found


def test_no_field_with_a_query_is_forgotten() -> None:
    found = fields_with_queries(crd.resource_schema()["properties"]["spec"])
    assert "metrics[]" in found
    assert found <= CONFINED_FIELDS


def test_every_signal_with_a_query_is_confined() -> None:
    signals = {name.value: {"query": f"a_{place}"} for place, name in enumerate(SignalName)}
    wants = asks.wants_of(policy(signals=signals), tenancy=CONFINED)
    sources = [want.source for want in wants.signals.values()]
    assert len(sources) == len(SignalName)
    assert all(isinstance(source, Custom) and source.sees == ("agents",) for source in sources)
