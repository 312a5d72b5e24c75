"""When a status is written, as which patch, and how it is read back."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.signals import SignalName
from agentscaler.api.status import Outcome, PolicyStatus
from agentscaler.report import composing, outlines, status
from tests.unit.report.scenes import BUSY, FACTS, MINUTE, NOON, decided, is_material, policy, seen
from tests.unit.report.statuses import statuses

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [field.alias or name for name, field in PolicyStatus.model_fields.items()]


def merged(document: Any, patch: Any) -> Any:
    """Apply a JSON merge patch as RFC 7386 words it."""
    if not isinstance(patch, dict):
        return patch
    target = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merged(target.get(key), value)
    return target


def standing() -> PolicyStatus:
    return composing.decided(PolicyStatus(), policy(), seen(), decided(policy(), seen()), FACTS)


@given(statuses)
def test_status_reads_back_as_it_was_written(written: PolicyStatus) -> None:
    recorded = status.read(status.dump(written))
    assert recorded.status == written
    assert recorded.dropped == ()


@given(statuses, statuses)
def test_patch_turns_the_old_document_into_the_new_one(
    old: PolicyStatus, new: PolicyStatus
) -> None:
    assert merged(status.dump(old), status.patch(old, new)) == status.dump(new)


@given(statuses)
def test_patch_is_empty_when_nothing_changed(same: PolicyStatus) -> None:
    assert status.patch(same, same) == {}


@given(statuses, statuses)
def test_material_change_makes_a_patch(old: PolicyStatus, new: PolicyStatus) -> None:
    if is_material(old, new):
        assert status.patch(old, new)


@given(statuses, statuses)
def test_time_alone_makes_no_difference(old: PolicyStatus, new: PolicyStatus) -> None:
    differs = old.model_copy(update={"last_update_time": new.last_update_time}) != new
    assert status.says_the_same(old, new) is not differs


@given(statuses)
def test_unchanged_status_is_never_material(same: PolicyStatus) -> None:
    assert not is_material(same, same)


@given(ANYTHING | st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5))
def test_foreign_status_never_raises(raw: object) -> None:
    recorded = status.read(raw)
    status.dump(recorded.status)


@given(statuses, st.sampled_from(FIELDS), ANYTHING)
def test_damage_of_one_field_spares_the_others(
    written: PolicyStatus, field: str, damage: object
) -> None:
    document = {**status.dump(written), field: damage}
    left = status.dump(status.parse_status(document))
    told = {field, "story"}
    assert {key: value for key, value in left.items() if key not in told} == {
        key: value for key, value in status.dump(written).items() if key not in told
    }


def test_wiggling_readings_are_not_material() -> None:
    old = standing()
    again = seen({**BUSY, SignalName.QUEUE_DEPTH: 13.0}, at=NOON + MINUTE)
    new = composing.decided(old, policy(), again, decided(policy(), again), FACTS)
    assert new != old
    assert not is_material(old, new)
    assert not status.says_the_same(old, new)


@given(st.text(), st.floats(0, 86_400), st.floats(0, 600))
def test_readings_are_stale_after_a_heartbeat_at_the_latest(
    key: str, shift: float, age: float
) -> None:
    written = NOON + timedelta(seconds=shift)
    stale = status.is_stale(key, written, written + timedelta(seconds=age))
    assert stale or age < status.HEARTBEAT.total_seconds() + 1e-6


def test_readings_that_were_never_written_are_stale() -> None:
    assert status.is_stale("agents/a", None, NOON)


def test_heartbeats_of_policies_written_at_once_are_spread_evenly() -> None:
    keys = [f"agents/agent-{number}" for number in range(4_000)]
    polls = [NOON + number * timedelta(seconds=15) for number in range(21)]
    due = [sum(status.is_stale(key, last, now) for key in keys) for last, now in pairwise(polls)]
    assert sum(due) == len(keys)
    assert max(due) < 1.2 * len(keys) / 20


@pytest.mark.parametrize(
    "change",
    [
        lambda old: {"desired_replicas": 9},
        lambda old: {"current_replicas": 9},
        lambda old: {"ready_replicas": 9},
        lambda old: {"observed_generation": 9},
        lambda old: {"mode": "Paused"},
        lambda old: {"lead_time": "50s"},
        lambda old: {"slots_per_replica": ""},
        lambda old: {"decision": old.decision.model_copy(update={"reason": "Other"})},
        lambda old: {"conditions": old.conditions[1:]},
        lambda old: {"history": ()},
        lambda old: {"history": (old.history[0].model_copy(update={"outcome": Outcome.APPLIED}),)},
        lambda old: {"last_scale_up_time": NOON},
    ],
    ids=[
        "desired",
        "current",
        "ready",
        "generation",
        "mode",
        "lead-time",
        "slots-forgotten",
        "reason",
        "condition",
        "history",
        "outcome",
        "last-scale-up",
    ],
)
def test_change_is_material_at_once(change: Callable[[Any], dict[str, Any]]) -> None:
    old = standing()
    assert is_material(old, old.model_copy(update=change(old)))


def saying(old: PolicyStatus, reason: str) -> PolicyStatus:
    assert old.decision is not None
    decision = old.decision.model_copy(update={"reason": reason})
    return old.model_copy(update={"reason": reason, "decision": decision})


def test_reasons_that_noise_turns_into_each_other_are_not_material() -> None:
    old, new = (saying(standing(), reason) for reason in ("Demand", "Stabilizing"))
    assert outlines.speaks_otherwise(outlines.of(old), outlines.of(new))
    assert not is_material(old, new)
    assert not status.says_the_same(old, new)
    assert is_material(old, saying(old, "PodsUnknown"))


def test_story_is_written_but_not_kept() -> None:
    written = status.dump(standing())
    assert written["story"][0].startswith("Replicas: 4 asked for")
    assert status.parse_status(written).story == ()


def test_patch_carries_only_the_readings_that_changed() -> None:
    old = standing()
    new = old.model_copy(update={"signals": {**old.signals, "queueDepth": "13"}})
    assert status.patch(old, new)["signals"] == {"queueDepth": "13"}


def test_damaged_entry_of_the_history_is_dropped_alone() -> None:
    document = status.dump(standing())
    document["history"] = [{"id": "x"}, *document["history"], "nonsense"]
    recorded = status.read(document)
    assert recorded.status == standing()
    assert any(reason.startswith("status.history.0.") for reason in recorded.dropped)
    assert any(reason.startswith("status.history.2:") for reason in recorded.dropped)


def test_status_of_another_kind_is_dropped_with_its_reason() -> None:
    assert status.read(None) == status.Recorded(PolicyStatus())
    assert status.read(["x"]) == status.Recorded(PolicyStatus(), ("status: no object but list",))


def test_endless_text_is_cut_instead_of_refused() -> None:
    long = PolicyStatus(message="x" * 2000)
    assert len(long.message) == 1024
    assert long.message.endswith("…")


def test_field_by_its_inner_name_is_foreign() -> None:
    assert status.read({"current_replicas": "x"}) == status.Recorded(PolicyStatus())


def test_figure_that_is_no_number_is_dropped() -> None:
    for figure in ("many", "nan", "inf"):
        recorded = status.read({"slotsPerReplica": figure, "leadTime": "42s"})
        assert recorded.status == PolicyStatus(lead_time="42s")
        assert recorded.dropped[0].startswith("status.slotsPerReplica: ")
