"""The registry: what a watch says, once; who is on which target; what was recorded."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler import conventions
from agentscaler.act.places import Kind, TargetKey
from agentscaler.act.workloads import NONE_OUTDATED, Outdated
from agentscaler.control.registry import Entry, Registry
from tests.unit.control.bodies import NOON, body

KEY = "agents/agent"
TARGET = TargetKey("agents", "Deployment", "agent")
DEPLOYMENT = Kind("apps/v1", "Deployment")
BAD: dict[str, Any] = {"minReplicas": 5, "maxReplicas": 2}


@pytest.fixture
def registry() -> Registry:
    return Registry()


def entry(registry: Registry, key: str = KEY) -> Entry:
    found = registry.find(key)
    assert found is not None
    return found


@pytest.mark.parametrize("change", [None, "ADDED", "MODIFIED"])
def test_policy_is_known_from_whatever_tells_of_it_first(
    registry: Registry, change: str | None
) -> None:
    assert registry.note(change, body()) == {KEY}
    assert len(registry) == 1
    assert entry(registry).policy is not None


def test_same_generation_leads_to_nothing_but_a_newer_version(registry: Registry) -> None:
    registry.note(None, body())
    before = entry(registry).policy
    assert registry.note("MODIFIED", body(version="2", status={"mode": "Auto"})) == set()
    assert entry(registry).policy is before
    assert entry(registry).resource_version == "2"


def test_new_generation_is_read_and_what_is_remembered_stays(registry: Registry) -> None:
    registry.note(None, body(status={"currentReplicas": 3}))
    registry.begin_to_lead()
    lead = entry(registry).lead_time
    assert registry.note("MODIFIED", body(generation=2, maxReplicas=7)) == {KEY}
    found = entry(registry)
    assert found.policy is not None
    assert found.policy.spec.max_replicas == 7
    assert (found.generation, found.replicas, found.lead_time) == (2, 3, lead)


def test_deleted_policy_is_gone(registry: Registry) -> None:
    registry.note(None, body())
    assert registry.note("DELETED", body()) == set()
    assert (len(registry), registry.find(KEY), registry.kinds()) == (0, None, set())
    assert registry.note("DELETED", body()) == set()


def test_policy_that_is_being_deleted_is_gone(registry: Registry) -> None:
    registry.note(None, body())
    dying = body()
    dying["metadata"]["deletionTimestamp"] = "2026-03-02T12:00:00Z"
    assert registry.note("MODIFIED", dying) == set()
    assert registry.find(KEY) is None


def test_late_deletion_of_an_earlier_namesake_does_not_matter(registry: Registry) -> None:
    registry.note(None, body(uid="new"))
    assert registry.note("DELETED", body(uid="old")) == set()
    assert entry(registry).uid == "new"


def test_namesake_begins_from_its_own_record(registry: Registry) -> None:
    registry.note(None, body(uid="old", status={"currentReplicas": 9}))
    entry(registry).outdated = Outdated(("7",), NOON)
    assert registry.note("ADDED", body(uid="new", status={"currentReplicas": 2})) == {KEY}
    found = entry(registry)
    assert (found.uid, found.replicas, found.outdated) == ("new", 2, NONE_OUTDATED)
    assert registry.on_target(TARGET) == [found]


def test_spec_that_cannot_be_followed_is_kept_with_its_problems(registry: Registry) -> None:
    assert registry.note(None, body(**BAD)) == {KEY}
    found = entry(registry)
    assert (found.policy, found.target) == (None, None)
    assert "minReplicas" in found.problems[0]
    assert (registry.kinds(), registry.owner(found)) == (set(), found)


def test_mended_spec_is_followed_and_a_broken_one_no_more(registry: Registry) -> None:
    registry.note(None, body(**BAD))
    assert registry.note("MODIFIED", body(generation=2)) == {KEY}
    assert (entry(registry).problems, registry.kinds()) == ((), {DEPLOYMENT})
    assert registry.note("MODIFIED", body(generation=3, **BAD)) == {KEY}
    assert (entry(registry).policy, registry.kinds()) == (None, set())
    assert registry.on_target(TARGET) == []


def test_oldest_on_a_target_is_its_owner(registry: Registry) -> None:
    registry.note(None, body("younger", minutes=1))
    registry.note(None, body("older", minutes=0))
    older = entry(registry, "agents/older")
    assert registry.owner(entry(registry, "agents/younger")) is older
    assert registry.owner(older) is older


def test_of_two_made_in_the_same_second_the_first_by_name_is_the_owner(registry: Registry) -> None:
    registry.note(None, body("b"))
    registry.note(None, body("a"))
    assert registry.owner(entry(registry, "agents/b")).name == "a"


def test_same_name_in_another_api_group_is_another_target(registry: Registry) -> None:
    ours = {"apiVersion": "example.dev/v1", "kind": "Deployment", "name": "agent"}
    registry.note(None, body("older"))
    registry.note(None, body("younger", minutes=1, scaleTargetRef=ours))
    younger = entry(registry, "agents/younger")
    assert registry.owner(younger) is younger


def test_another_version_of_the_api_is_the_same_target(registry: Registry) -> None:
    registry.note(None, body("older"))
    registry.note(
        None,
        body(
            "younger",
            minutes=1,
            scaleTargetRef={"apiVersion": "apps/v1beta2", "kind": "Deployment", "name": "agent"},
        ),
    )
    assert registry.owner(entry(registry, "agents/younger")).name == "older"


def test_dropped_policy_frees_those_it_stood_in_the_way_of(registry: Registry) -> None:
    registry.note(None, body("first"))
    assert registry.note(None, body("second", minutes=1)) == {"agents/first", "agents/second"}
    assert registry.drop("agents/first") == {"agents/second"}
    second = entry(registry, "agents/second")
    assert registry.owner(second) is second
    assert registry.drop("agents/first") == set()


def test_policy_that_moves_to_another_target_concerns_both(registry: Registry) -> None:
    registry.note(None, body("here"))
    registry.note(None, body("there", scaleTargetRef={"name": "other"}))
    registry.note(None, body("mover", minutes=1))
    moved = body("mover", minutes=1, generation=2, scaleTargetRef={"name": "other"})
    everybody = {"agents/here", "agents/there", "agents/mover"}
    assert registry.note("MODIFIED", moved) == everybody


def test_policy_dropped_meanwhile_owns_what_it_holds(registry: Registry) -> None:
    """A pass may hold a policy that the watch has just told is gone."""
    registry.note(None, body())
    gone = entry(registry)
    registry.drop(KEY)
    assert registry.owner(gone) is gone
    assert registry.on_target(TARGET) == []


def test_kind_is_followed_as_long_as_one_policy_needs_it(registry: Registry) -> None:
    fleet = {"apiVersion": "example.dev/v1", "kind": "Fleet", "name": "agent"}
    registry.note(None, body("a"))
    registry.note(None, body("b"))
    registry.note(None, body("c", scaleTargetRef=fleet))
    assert registry.kinds() == {DEPLOYMENT, Kind("example.dev/v1", "Fleet")}
    registry.drop("agents/a")
    registry.drop("agents/c")
    assert registry.kinds() == {DEPLOYMENT}
    registry.drop("agents/b")
    assert registry.kinds() == set()


def test_standby_takes_up_the_newest_record(registry: Registry) -> None:
    registry.note(None, body(status={"currentReplicas": 1}))
    registry.note(
        "MODIFIED",
        body(
            version="2",
            status={
                "currentReplicas": 4,
                "lastScaleUpTime": "2026-03-02T12:00:00Z",
                "lastScaleDownTime": "2026-03-02T11:00:00Z",
                "slotsPerReplica": "4",
                "leadTime": "40s",
            },
        ),
    )
    found = entry(registry)
    assert (found.replicas, found.memory.slots_per_replica) == (4, 4.0)
    assert (found.memory.last_up, found.memory.last_down) == (NOON, NOON - timedelta(hours=1))
    assert found.lead_time.value() == timedelta(seconds=40)


def test_damaged_record_is_taken_for_what_is_left_of_it(registry: Registry) -> None:
    registry.note(None, body(status={"currentReplicas": "many", "leadTime": "30s"}))
    assert entry(registry).replicas is None
    assert entry(registry).lead_time.value() == timedelta(seconds=30)


NAMES = st.sampled_from(["a", "b", "c"])
CHANGES = st.tuples(
    st.sampled_from(["ADDED", "MODIFIED", "DELETED"]),
    NAMES,
    st.integers(1, 3),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["x", "y"]),
    st.booleans(),
)


@given(st.lists(CHANGES, max_size=30))
def test_who_is_on_which_target_agrees_with_the_specs_after_any_story(story: list[Any]) -> None:
    registry = Registry()
    for version, (change, name, generation, uid, target, good) in enumerate(story):
        spec: dict[str, Any] = {"scaleTargetRef": {"name": target}} | ({} if good else BAD)
        told = body(name, uid=uid, generation=generation, version=str(version), **spec)
        registry.note(change, told)
    for target in ("x", "y"):
        key = TargetKey("agents", "Deployment", target)
        on_it = {each.key for each in registry if each.target == key}
        assert {each.key for each in registry.on_target(key)} == on_it
    followed = {DEPLOYMENT} if any(each.policy for each in registry) else set()
    assert registry.kinds() == followed


def test_nonsense_on_record_is_not_taken_up(registry: Registry) -> None:
    registry.note(None, body(status={"leadTime": "soon", "slotsPerReplica": "0"}))
    found = entry(registry)
    assert (found.lead_time.value(), found.memory.slots_per_replica) == (None, None)


def test_another_target_starts_afresh(registry: Registry) -> None:
    registry.note(None, body(status={"currentReplicas": 8, "leadTime": "40s"}))
    other: Any = {"name": "other"}
    registry.note("MODIFIED", body(generation=2, version="2", scaleTargetRef=other))
    assert (entry(registry).replicas, entry(registry).lead_time.value()) == (None, None)


def test_leader_knows_its_own_record_better_than_the_watch(registry: Registry) -> None:
    registry.note(None, body(status={"currentReplicas": 8}))
    registry.begin_to_lead()
    entry(registry).replicas = 9
    registry.note("MODIFIED", body(version="2", status={"currentReplicas": 8}))
    assert entry(registry).replicas == 9


def woken(at: str, version: str = "2") -> dict[str, Any]:
    asked = body(version=version)
    asked["metadata"]["annotations"] = {conventions.WAKE_ANNOTATION: at}
    return asked


def test_wake_is_looked_at_once(registry: Registry) -> None:
    registry.note(None, body())
    assert registry.note("MODIFIED", woken("2026-03-02T12:00:00+00:00")) == {KEY}
    assert entry(registry).woken == NOON
    assert registry.note("MODIFIED", woken("2026-03-02T12:00:00+00:00", "3")) == set()
    assert registry.note("MODIFIED", woken("2026-03-02T12:00:10+00:00", "4")) == {KEY}


def test_wake_of_before_the_start_is_known(registry: Registry) -> None:
    registry.note(None, woken("2026-03-02T12:00:00+00:00"))
    assert entry(registry).woken == NOON


@pytest.mark.parametrize("nonsense", ["", "soon", "2026-03-02T12:00:00"])
def test_wake_that_is_no_time_is_none(registry: Registry, nonsense: str) -> None:
    registry.note(None, body())
    assert registry.note("MODIFIED", woken(nonsense)) == set()
    assert entry(registry).woken is None


def test_registry_of_a_shard_follows_its_namespaces_alone(registry: Registry) -> None:
    elsewhere = body("other")
    elsewhere["metadata"]["namespace"] = "elsewhere"
    registry.note(None, body())
    registry.note(None, elsewhere)
    registry.confine("agents".__eq__)
    assert [each.key for each in registry] == [KEY]
    assert registry.note("MODIFIED", elsewhere) == set()
    assert [each.key for each in registry] == [KEY]
