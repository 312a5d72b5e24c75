"""Whatever people, servers or a damaged cluster write: it is judged, and nothing else breaks.

`make fuzz` searches these for minutes; the unit tests look at a few of the same inputs each time.
"""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentscaler import quantities
from agentscaler.analyze import linting
from agentscaler.api import crd
from agentscaler.api.policy import Policy, parse_policy
from agentscaler.control.registry import Registry
from agentscaler.errors import BadResponseError, InvalidPolicyError, SourceError
from agentscaler.forecast import rows
from agentscaler.observe import answers, asks, confinement, pods, timelines
from agentscaler.observe.failures import our_words, refusal_of, warning_in
from agentscaler.observe.tenancy import CONFINED
from agentscaler.observe.timelines import Timeline
from agentscaler.observe.transport import Exchange
from agentscaler.promql import problem_of
from agentscaler.report import status as reporting
from tests.unit.control.bodies import body
from tests.unit.observe.queries import QUERIES

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = Timeline.back(NOON, timedelta(hours=1), timedelta(minutes=1))
SPEC = crd.resource_schema()["properties"]["spec"]

MOMENTS = ["2026-12-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00"]
AMOUNTS = ["", "0", "-1", "1e9", "1e19", "1e400", "NaN", "+Inf", "80%", "30s", "9999d", "Auto"]
TEXTS = st.text(max_size=20) | st.sampled_from([*MOMENTS, *AMOUNTS, "0 0 * * *", "UTC", "sum(a)"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXTS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def fitting(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Make values as the schema describes them, now and then something else instead."""
    if "enum" in schema:
        right: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif schema.get("x-kubernetes-int-or-string"):
        right = st.integers(0, 200) | st.integers(0, 200).map("{}%".format) | TEXTS
    elif schema["type"] == "object":
        known, required = schema.get("properties", {}), schema.get("required", ())
        right = st.fixed_dictionaries(
            {name: fitting(known[name], name) for name in required},
            optional={
                name: fitting(part, name) for name, part in known.items() if name not in required
            },
        )
    elif schema["type"] == "array":
        right = st.lists(fitting(schema["items"]), max_size=2)
    elif schema["type"] == "integer":
        right = st.integers(schema.get("minimum", 0), schema.get("maximum", 100))
    elif schema["type"] == "boolean":
        right = st.booleans()
    elif name == "query":
        right = QUERIES
    else:
        right = TEXTS
    return st.integers(0, 30).flatmap(lambda odd: ANYTHING if odd == 1 else right)


SPECS = fitting(SPEC)


def parsed(spec: Any) -> Policy | None:
    """Give the policy, or None where it is refused in so many words."""
    try:
        return parse_policy({**body(), "spec": spec})
    except InvalidPolicyError:
        return None


@given(SPECS | ANYTHING)
def test_any_spec_is_followed_or_refused(spec: Any) -> None:
    policy = parsed(spec)
    if policy is None:
        return
    assert policy.spec.min_replicas <= policy.spec.max_replicas
    wants = asks.wants_of(policy, tenancy=CONFINED)
    assert asks.plan([wants]).keys() == {wants.server}
    pods.gauge_of(policy)
    shape = rows.shape_of(policy.spec)
    assert timedelta(minutes=1) <= shape.season <= timedelta(days=36_500)


@given(st.dictionaries(st.sampled_from(["spec", "status"]), SPECS | ANYTHING))
def test_any_policy_of_the_watch_is_taken_in(parts: dict[str, Any]) -> None:
    registry = Registry()
    registry.note("ADDED", {**body(), **parts})
    (entry,) = registry
    assert (entry.policy is None) == (parsed(parts.get("spec", body()["spec"])) is None)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "kind"]), SPECS | ANYTHING))
def test_any_manifest_is_linted(parts: dict[str, Any]) -> None:
    for finding in linting.check({**body(), **parts}, now=NOON, judge_query=problem_of):
        assert finding.problem


@given(ANYTHING)
def test_any_recorded_status_is_read(raw: Any) -> None:
    reporting.read(raw)
    assert isinstance(reporting.dump(reporting.parse_status(raw)), dict)


def judged(text: bytes) -> None:
    """Read bytes as every kind of answer; all that may come of it are our own errors."""
    readers: list[Any] = [
        answers.number_of,
        answers.table_of,
        pods.table_of,
        lambda result: timelines.rows_of(result, HOUR),
        lambda result: timelines.row_of(result, HOUR),
    ]
    for read in readers:
        exchange = Exchange(200, {}, text)
        with suppress(SourceError), our_words("prometheus", exchange):
            read(json.loads(text)["data"]["result"])
    with suppress(SourceError), our_words("prometheus", Exchange(200, {}, text)):
        assert isinstance(warning_in(text), str)
    for status in (302, 400, 401, 422, 429, 500):
        assert isinstance(refusal_of("prometheus", Exchange(status, {}, text)), SourceError)


SAMPLES = st.tuples(SCALARS, SCALARS).map(list) | ANYTHING
LABELS = st.sampled_from(["namespace", "agent", "pod", "asp_sampled"])
SERIES = st.fixed_dictionaries(
    {"metric": st.dictionaries(LABELS, TEXTS)},
    optional={"value": SAMPLES, "values": st.lists(SAMPLES, max_size=3), "histogram": ANYTHING},
)  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {"status": TEXTS, "data": st.fixed_dictionaries({"result": st.lists(SERIES | ANYTHING)})},
    optional={"warnings": st.lists(ANYTHING) | ANYTHING, "error": ANYTHING},
)


@given(st.binary(max_size=200) | (ANSWERS | ANYTHING).map(lambda found: json.dumps(found).encode()))
@example(b"[" * 100_000)
@example(b'{"error": ' + b"[" * 100_000)
def test_any_answer_is_judged(text: bytes) -> None:
    judged(text)


@given(st.text(max_size=60) | QUERIES)
def test_any_query_is_confined_or_refused(query: str) -> None:
    with suppress(ValueError):
        confined = confinement.confine(query, ["agents"])
        assert confinement.confine(confined, ["agents"])


MESSY = st.text(alphabet="0123456789.%smhdkMiGT e-+\u0661\n", max_size=12)


@given(MESSY | TEXTS)
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    with suppress(ValueError):
        span = quantities.parse_duration(text)
        assert quantities.parse_duration(quantities.format_duration(span)) == span
        assert NOON + 8 * span >= NOON
    with suppress(ValueError):
        assert 0 <= quantities.parse_percent(text) <= 100
    with suppress(ValueError):
        assert 0 <= quantities.parse_quantity(text) < float("inf")


def test_answer_of_the_wrong_shape_is_told_as_such() -> None:
    with pytest.raises(BadResponseError), our_words("prometheus", Exchange(200, {}, b"[]")):
        answers.number_of(json.loads("[]")["data"])
