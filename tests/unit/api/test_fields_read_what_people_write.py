"""Durations, percentages, quantities and steps: as written, as held, as written back."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentscaler.api import fields
from agentscaler.api.fields import Step
from agentscaler.api.policy import parse_spec
from agentscaler.api.rules import VALIDATIONS

READ: list[tuple[Any, Any, Any]] = [
    (fields.Duration, "0s", timedelta(0)),
    (fields.Duration, "1h30m", timedelta(minutes=90)),
    (fields.Duration, "8d", timedelta(days=8)),
    (fields.PositiveDuration, "250ms", timedelta(milliseconds=250)),
    (fields.Interval, "1s", timedelta(seconds=1)),
    (fields.LookAhead, "Auto", None),
    (fields.LookAhead, "15m", timedelta(minutes=15)),
    (fields.Percent, "80%", 0.8),
    (fields.Percent, 150, 1.5),
    (fields.Share, "100%", 1.0),
    (fields.Quantile, "99.9%", 0.999),
    (fields.WholeShare, 80, 0.8),
    (fields.Quantity, "500m", 0.5),
    (fields.Quantity, 20, 20.0),
    (fields.ReplicaStep, 4, Step(count=4)),
    (fields.ReplicaStep, "4", Step(count=4)),
    (fields.ReplicaStep, "25%", Step(ratio=0.25)),
    (fields.Moment, "2026-12-01T00:00:00+01:00", datetime(2026, 11, 30, 23, tzinfo=UTC)),
]


@pytest.mark.parametrize(("kind", "written", "held"), READ)
def test_field_holds_what_was_written(kind: Any, written: Any, held: Any) -> None:
    assert TypeAdapter(kind).validate_python(written) == held


@pytest.mark.parametrize(
    ("written", "is_read"),
    [
        ("60000ms", True), ("59999ms", False), ("100000ms", True), ("9999ms", False),
        ("60s", True), ("59s", False), ("100s", True), ("0059s", False), ("0060s", True),
        ("1m", True), ("0m59s", False), ("0m60s", True), ("00m", False), ("1m30s", True),
        ("10m", True), ("1h", True), ("0h", False), ("24h", True), ("1d", True), ("0d", False),
    ],
)  # fmt: skip
def test_season_is_judged_alike_by_its_rule_and_its_model(written: str, is_read: bool) -> None:
    """The rule sees a text, the model a time span."""
    schema = TypeAdapter(fields.Season).json_schema()
    pattern = schema[VALIDATIONS][1]["rule"].removeprefix("self.matches(r'").removesuffix("')")
    assert bool(re.search(pattern, written)) is is_read
    if is_read:
        TypeAdapter(fields.Season).validate_python(written)
    else:
        with pytest.raises(ValidationError, match="at least 1m"):
            TypeAdapter(fields.Season).validate_python(written)


REFUSED: list[tuple[Any, Any, str]] = [
    (fields.Duration, "soon", "write it like 30s, 15m"),
    (fields.Duration, "", "write it like 30s, 15m"),
    (fields.Duration, "99999d", "write it like 30s, 15m"),
    (fields.Duration, ["1s"], "valid timedelta"),
    (fields.PositiveDuration, "0s", "must be longer than 0s"),
    (fields.Interval, "999ms", "must be at least 1s"),
    (fields.Season, "59999ms", "must be at least 1m"),
    (fields.LookAhead, "0s", "write Auto, or a time longer than 0s"),
    (fields.LookAhead, "auto", "write it like 30s, 15m"),
    (fields.Percent, "most", "write it like 80%"),
    (fields.Percent, "-5%", "write it like 80%"),
    (fields.Percent, "x", "write it like 80%"),
    (fields.Share, "0%", "above 0% and at most 100%"),
    (fields.Share, 101, "above 0% and at most 100%"),
    (fields.Quantile, "100%", "above 0% and below 100%"),
    (fields.WholeShare, "99.5%", "a whole percentage from 1% to 100%"),
    (fields.WholeShare, "101%", "a whole percentage from 1% to 100%"),
    (fields.Quantity, "0", "an amount greater than 0"),
    (fields.Quantity, "20 tickets", "write it like 20, 0.4"),
    (fields.ReplicaStep, "half", "write it like 80%"),
    (fields.ReplicaStep, -2, "a number of replicas like 4, or a share like 25%"),
    (fields.ReplicaStep, 0.25, "Input should be"),
    (fields.Moment, "2026-12-01T00:00:00", "a moment with its zone"),
    (fields.Moment, "2026-13-01T00:00:00Z", "a moment with its zone"),
    (fields.Moment, "2026-02-30T00:00:00Z", "day value is outside expected range"),
    (fields.Moment, ["today"], "valid datetime"),
    (fields.Name, "The Name", "such as open-tickets"),
    (fields.ObjectName, "My Agent", "lowercase letters, digits, '-' and '.'"),
    (fields.MetricName, "sum(a)", "PromQL belongs into query"),
]


@pytest.mark.parametrize(("kind", "written", "said"), REFUSED)
def test_field_refuses_with_what_to_write(kind: Any, written: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(written)
    assert said in str(refused.value)


@given(st.integers(0, 10**9).map(lambda millis: timedelta(milliseconds=millis)))
def test_duration_reads_back_what_it_writes(span: timedelta) -> None:
    adapter = TypeAdapter[Any](fields.Duration)
    assert adapter.validate_python(adapter.dump_python(span)) == span


@given(st.one_of(st.integers(0, 99_999), st.integers(0, 999).map(lambda share: f"{share}%")))
def test_step_reads_back_what_it_writes(written: int | str) -> None:
    adapter = TypeAdapter[Any](fields.ReplicaStep)
    assert adapter.dump_python(adapter.validate_python(written)) == written


@given(st.integers(0, 10_000), st.integers(0, 400))
def test_share_of_a_fleet_is_at_least_one_replica(replicas: int, percent: int) -> None:
    assert Step(ratio=percent / 100).of(replicas) >= 1
    assert Step(count=percent).of(replicas) == percent


def test_look_ahead_and_moment_are_written_as_they_are_read() -> None:
    lookahead = TypeAdapter[Any](fields.LookAhead)
    assert [lookahead.dump_python(each) for each in (None, timedelta(minutes=15))] == [
        "Auto", "15m",
    ]  # fmt: skip
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    assert TypeAdapter(fields.Moment).dump_python(moment) == "2026-12-01T00:00:00Z"


def test_what_was_set_is_kept_once_for_all_who_set_the_same() -> None:
    one, two = (parse_spec({"scaleTargetRef": {"name": name}}) for name in ("a", "b"))
    other = parse_spec({"scaleTargetRef": {"name": "a"}, "minReplicas": 2})
    assert one.model_fields_set is two.model_fields_set
    assert one.model_fields_set == {"scale_target_ref"}
    assert other.model_fields_set == {"scale_target_ref", "min_replicas"}


def test_copy_with_changes_leaves_what_others_have_set_alone() -> None:
    one, two = (parse_spec({"scaleTargetRef": {"name": name}}) for name in ("a", "b"))
    changed = one.model_copy(update={"min_replicas": 2})
    assert changed.model_fields_set == {"scale_target_ref", "min_replicas"}
    assert changed.model_fields_set is two.model_copy(update={"min_replicas": 3}).model_fields_set
    assert two.model_fields_set == {"scale_target_ref"}
