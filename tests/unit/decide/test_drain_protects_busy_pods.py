"""Shrinking removes idle pods first and busy ones only after their deadline."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import PolicySpec
from agentscaler.decide import draining
from agentscaler.decide.decision import Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Pod, Reading, Replicas, Snapshot, Why
from tests.unit.decide import worlds
from tests.unit.decide.worlds import MINUTE, NOON, SECOND, UNKNOWN

AT_ONCE = {"scaleDown": {"cooldown": "0s", "maxStep": 100}}
STATEFUL = {"kind": "StatefulSet", "name": "agent"}
LONG_AGO = NOON - 11 * MINUTE


def policy(**spec: Any) -> PolicySpec:
    """Give a policy that would remove all it can at once, but for what its pods do."""
    return worlds.policy(**{"drain": {}, "demand": AT_ONCE, **spec})


def pod(name: str, in_flight: Reading = 0.0, **more: Any) -> Pod:
    return Pod(name, in_flight, **{"sampled": NOON - SECOND, **more})


def shrinking(*pods: Pod, replicas: int | None = None) -> Snapshot:
    """Give a look at a fleet that nothing is asked of, so that one replica would do."""
    count = len(pods) if replicas is None else replicas
    return replace(worlds.seen(replicas=count, ready=min(count, len(pods))), pods=pods)


def numbered(*pods: Pod, first: int = 0, replicas: int | None = None) -> Snapshot:
    """Look at a StatefulSet; unless said otherwise, it is asked for as many as its numbers tell."""
    asked = max((number_of(each) + 1 - first for each in pods), default=0)
    seen = shrinking(*pods, replicas=asked if replicas is None else replicas)
    return replace(seen, replicas=replace(seen.replicas, first_number=first))


def number_of(each: Pod) -> int:
    return int(each.name.removeprefix("agent-"))


def names(pods: tuple[Pod, ...]) -> list[str]:
    return [each.name for each in pods]


def retreat(spec: PolicySpec, seen: Snapshot) -> draining.Retreat:
    found = draining.retreat_of(spec, seen, decide(spec, seen, worlds.OLD))
    assert found is not None
    return found


def test_idle_pods_go_and_busy_pods_are_waited_for() -> None:
    seen = shrinking(pod("a", 3), pod("b"), pod("c", 1), pod("d"))
    decision = decide(policy(), seen, worlds.OLD)
    assert (decision.replicas, decision.reason) == (2, "Draining")
    assert "of 3 pods to go 1 is not idle yet (1 request in flight)" in decision.message
    assert decision.hint == "would be 1 once idle, and is forced from 12:10:00 on"
    chosen = retreat(policy(), seen)
    assert (names(chosen.leaving), names(chosen.waiting)) == (["b", "d"], ["c"])


def test_fleet_of_idle_pods_shrinks_as_without_protection() -> None:
    seen = shrinking(pod("a"), pod("b"), pod("c"))
    with_drain = decide(policy(), seen, worlds.OLD)
    without = decide(policy(drain=None), seen, worlds.OLD)
    assert (with_drain.replicas, with_drain.reason) == (without.replicas, without.reason)


@pytest.mark.parametrize(
    ("detachable", "said"),
    [(True, "idle and out of service"), (False, "idle when last seen, and are still in service")],
)
def test_record_says_whether_idle_pods_could_get_work_meanwhile(
    detachable: bool, said: str
) -> None:
    since = NOON - MINUTE
    leaving = pod("b", detachable=detachable, draining_since=since)
    decision = decide(policy(), shrinking(pod("a", 1), leaving), worlds.OLD)
    assert said in decision.steps[-1].message


@pytest.mark.parametrize("off", [{"drain": {"protectBusy": False}}, {"mode": "Recommend"}])
def test_pods_are_not_asked_for_where_nothing_is_protected(off: dict[str, Any]) -> None:
    decision = decide(policy(**off), worlds.seen(replicas=4), worlds.OLD)
    assert not draining.looks(decision)
    assert decision.replicas == 1


def test_pods_are_asked_for_only_when_some_are_to_go() -> None:
    assert draining.looks(decide(policy(), worlds.seen(replicas=4), worlds.OLD))
    assert not draining.looks(decide(policy(), worlds.seen(replicas=1), worlds.OLD))
    busy = worlds.seen(replicas=4, queue_depth=100.0)
    assert not draining.looks(decide(policy(), busy, worlds.OLD))


def test_nothing_goes_while_nothing_is_known_of_the_pods() -> None:
    for unknown in (None, UNKNOWN):
        seen = replace(worlds.seen(replicas=4), pods=unknown)
        decision = decide(policy(), seen, worlds.OLD)
        assert (decision.replicas, decision.reason) == (4, "PodsUnknown")
        assert draining.retreat_of(policy(), seen, decision) is None


def test_fleet_of_which_not_all_pods_are_listed_is_unknown() -> None:
    seen = replace(worlds.seen(replicas=3), pods=(pod("a"), pod("b")))
    assert decide(policy(), seen, worlds.OLD).reason == "PodsUnknown"


def test_fleet_of_which_more_pods_are_listed_than_it_is_asked_for_is_unknown() -> None:
    seen = shrinking(pod("a"), pod("b"), pod("of-another"), replicas=2)
    decision = decide(policy(), seen, worlds.OLD)
    assert (decision.replicas, decision.reason) == (2, "PodsUnknown")
    assert "3 are listed, but 2 asked for" in decision.message
    assert "a selector of its own" in decision.message
    assert draining.retreat_of(policy(), seen, decision) is None


def test_pod_without_a_reading_counts_as_busy() -> None:
    seen = shrinking(pod("a"), pod("b", Missing(Why.EMPTY)), pod("c", Missing(Why.STALE)))
    decision = decide(policy(), seen, worlds.OLD)
    assert decision.replicas == 2
    assert "1 pod without a reading" in decision.message


def test_fleet_of_which_no_pod_has_a_reading_is_unknown_however_long() -> None:
    dark = [pod(name, Missing(Why.EMPTY), draining_since=LONG_AGO) for name in "ab"]
    seen = shrinking(*dark, pod("c", started=False))
    decision = decide(policy(), seen, worlds.OLD)
    assert (decision.replicas, decision.reason) == (3, "PodsUnknown")
    assert "no pod has a reading" in decision.message


def test_pod_that_stays_busy_goes_after_its_deadline_and_that_is_said() -> None:
    seen = shrinking(pod("a", 5), pod("b", 2, draining_since=LONG_AGO))
    decision = decide(policy(), seen, worlds.OLD)
    assert (decision.replicas, decision.reason) == (1, "DrainForced")
    assert "1 pod removed after 10m, not idle yet (2 requests in flight)" in decision.message
    assert names(retreat(policy(), seen).forced) == ["b"]


def test_deadline_is_each_pods_own() -> None:
    fresh = pod("b", 2, draining_since=NOON - MINUTE)
    due = pod("c", 4, draining_since=LONG_AGO)
    seen = shrinking(pod("a", 9), fresh, due)
    chosen = retreat(policy(), seen)
    assert (names(chosen.leaving), names(chosen.waiting)) == (["c"], ["b"])


def test_forced_step_binds_although_the_count_is_what_was_wanted() -> None:
    seen = shrinking(pod("a"), pod("b", 2, draining_since=LONG_AGO), pod("c"))
    decision = decide(policy(minReplicas=0), seen, worlds.OLD)
    assert (decision.replicas, decision.reason) == (0, "DrainForced")


def test_detachable_pod_is_idle_only_by_a_sample_from_after_it_left_service() -> None:
    kept = pod("a", 4)
    for since, sampled, goes in (
        (None, NOON, False),
        (NOON - 5 * SECOND, NOON - 4 * SECOND, False),
        (NOON - 5 * SECOND, NOON - 3 * SECOND, True),
    ):
        leaving = pod("b", detachable=True, draining_since=since, sampled=sampled)
        decision = decide(policy(), shrinking(kept, leaving), worlds.OLD)
        assert (decision.replicas == 1) is goes


def test_chosen_pods_are_kept_to_and_those_too_many_are_spared() -> None:
    older = pod("c", 3, draining_since=NOON - 2 * MINUTE)
    newer = pod("a", 3, draining_since=NOON - MINUTE)
    seen = shrinking(newer, pod("b", 1), older)
    chosen = retreat(policy(minReplicas=2), seen)
    assert (names(chosen.waiting), names(chosen.spared)) == (["c"], ["a"])


def test_pods_that_never_started_go_first_and_serve_nothing() -> None:
    seen = shrinking(pod("a", 1), pod("b", UNKNOWN, started=False, ready=False))
    assert names(retreat(policy(), seen).leaving) == ["b"]


def test_pod_that_is_not_ready_and_unknown_holds_all_up_for_it_would_go_first() -> None:
    seen = shrinking(pod("a"), pod("b", UNKNOWN, ready=False), pod("c"))
    assert decide(policy(), seen, worlds.OLD).replicas == 3


def test_stateful_set_gives_up_only_the_idle_tail() -> None:
    seen = numbered(pod("agent-9"), pod("agent-8", 1), pod("agent-11"), pod("agent-10"), first=8)
    chosen = retreat(policy(scaleTargetRef=STATEFUL), seen)
    assert names(chosen.leaving) == ["agent-11", "agent-10", "agent-9"]
    seen = numbered(pod("agent-0"), pod("agent-1", 1), pod("agent-2"))
    chosen = retreat(policy(scaleTargetRef=STATEFUL), seen)
    assert (names(chosen.leaving), names(chosen.waiting)) == (["agent-2"], ["agent-1"])


@pytest.mark.parametrize("least", [1, 2])
def test_stateful_set_of_which_a_pod_is_missing_keeps_the_busy_one_above(least: int) -> None:
    """Its controller removes all from the count on, also while the place of one below is empty."""
    spec = policy(scaleTargetRef=STATEFUL, minReplicas=least)
    seen = numbered(pod("agent-0"), pod("agent-2", 1))
    assert decide(spec, seen, worlds.OLD).replicas == 3
    assert names(retreat(spec, seen).waiting) == ["agent-2"]


def test_stateful_set_of_which_a_pod_beyond_the_count_is_listed_is_unknown() -> None:
    """It is yet to go, or numbers are left out: either way, which pods go is not known."""
    seen = numbered(pod("agent-0"), pod("agent-1"), pod("agent-3", 1), replicas=3)
    decision = decide(policy(scaleTargetRef=STATEFUL), seen, worlds.OLD)
    assert (decision.replicas, decision.reason) == (3, "PodsUnknown")
    assert "a pod numbered 3 or higher is yet to go" in decision.message


def test_pods_that_are_about_to_end_and_count_as_ready_hold_nothing_up() -> None:
    seen = shrinking(pod("agent-0"), pod("agent-1", 1), pod("agent-2"))
    seen = replace(seen, replicas=Replicas(current=3, ready=4))
    assert decide(policy(), seen, worlds.OLD).replicas == 1


def test_of_a_stateful_set_only_busy_pods_are_told_as_waited_for() -> None:
    idle = pod("agent-1", draining_since=NOON - 9 * MINUTE)
    busy = pod("agent-2", 1, draining_since=NOON - MINUTE)
    decision = decide(
        policy(scaleTargetRef=STATEFUL), numbered(pod("agent-0"), idle, busy), worlds.OLD
    )
    assert "of 2 pods to go 1 is not idle yet (1 request in flight)" in decision.message
    assert decision.hint.endswith("is forced from 12:09:00 on")


def test_pod_without_a_number_is_never_removed_from_a_stateful_set() -> None:
    seen = shrinking(pod("job", 1), pod("agent-0", 1), pod("agent-1"), replicas=4)
    chosen = retreat(policy(scaleTargetRef=STATEFUL), seen)
    assert (chosen.replicas, names(chosen.leaving), chosen.waiting) == (1, ["agent-1"], ())


def test_pods_that_were_told_to_go_are_bound_to_while_their_controller_has_yet_to_follow() -> None:
    chosen = [replace(pod(f"agent-{n}"), draining_since=NOON, stamped=True) for n in (2, 3, 4)]
    fleet = [pod("agent-0"), pod("agent-1"), *chosen]
    bound = draining.bound_to_go
    assert names(bound(fleet, 4, None)) == ["agent-2", "agent-3", "agent-4"]
    assert names(bound(fleet, 4, 0)) == ["agent-4"]
    assert names(bound(fleet[1:], 3, 0)) == ["agent-3", "agent-4"]
    assert names(bound(fleet[1:], 3, 1)) == ["agent-4"]
    assert bound(fleet, 5, None) == bound(fleet, 5, 0) == ()


def test_pods_that_are_yet_to_be_created_are_counted() -> None:
    yet_to_be = shrinking(pod("a", 2), pod("b", 2), replicas=4)
    assert decide(policy(), yet_to_be, worlds.OLD).replicas == 2


# --- whatever the pods ---

marks = st.one_of(st.none(), st.integers(0, 1200).map(lambda age: NOON - age * SECOND))
pods_at_random = st.builds(
    Pod,
    name=st.integers(0, 11).map(lambda number: f"agent-{number}"),
    in_flight=worlds.readings | st.just(0.0),
    sampled=st.integers(0, 300).map(lambda age: NOON - age * SECOND),
    started=st.booleans(),
    ready=st.booleans(),
    draining_since=marks,
    detachable=st.booleans(),
    stamped=st.booleans(),
)
fleets = st.lists(pods_at_random, max_size=12, unique_by=lambda each: each.name)
protecting = st.builds(
    policy,
    minReplicas=st.integers(0, 5),
    scaleTargetRef=st.sampled_from(
        [{"name": "agent"}, STATEFUL],
    ),
)


def looking(spec: PolicySpec, fleet: list[Pod]) -> Snapshot:
    """Look at a fleet; of a StatefulSet, pods below the highest number may be missing."""
    return (numbered if spec.scale_target_ref.is_numbered else shrinking)(*fleet)


def gone(spec: PolicySpec, fleet: list[Pod], replicas: int) -> int:
    """Count the pods that their controller removes for this count."""
    if spec.scale_target_ref.is_numbered:
        return sum(number_of(each) >= replicas for each in fleet)
    return max(0, len(fleet) - replicas)


def serves_nothing(each: Pod) -> bool:
    return not each.started or each.in_flight == 0.0


@given(protecting, fleets)
def test_before_the_deadline_no_more_go_than_are_idle(spec: PolicySpec, fleet: list[Pod]) -> None:
    young = [
        replace(each, draining_since=None)
        if each.draining_since and NOON - each.draining_since >= timedelta(minutes=10)
        else each
        for each in fleet
    ]
    seen = looking(spec, young)
    decision = decide(spec, seen, worlds.OLD)
    found = draining.retreat_of(spec, seen, decision)
    removed = gone(spec, young, decision.replicas)
    assert removed <= sum(serves_nothing(each) for each in young)
    if found is not None:
        assert all(serves_nothing(each) for each in found.leaving)
        assert len(found.leaving) == removed
        assert not found.forced


@given(protecting, fleets)
def test_chosen_pods_are_as_many_as_are_to_go_and_none_is_spared(
    spec: PolicySpec, fleet: list[Pod]
) -> None:
    seen = looking(spec, fleet)
    decision = decide(spec, seen, worlds.OLD)
    found = draining.retreat_of(spec, seen, decision)
    if found is None:
        return
    wanted = next(step.before for step in decision.steps if step.name == "drain")
    assert len(found.chosen) == gone(spec, fleet, wanted)
    assert not set(found.chosen) & set(found.spared)
    assert set(found.forced) <= set(found.leaving)
    assert all(each.is_chosen for each in found.spared)


@given(protecting, fleets, st.randoms(use_true_random=False))
def test_order_in_which_pods_are_listed_does_not_matter(
    spec: PolicySpec, fleet: list[Pod], chance: Any
) -> None:
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    first, second = looking(spec, fleet), looking(spec, shuffled)
    decision, other = decide(spec, first, worlds.OLD), decide(spec, second, worlds.OLD)
    assert decision == other
    assert draining.retreat_of(spec, first, decision) == draining.retreat_of(spec, second, other)


@given(protecting, fleets, st.floats(0.1, 1000))
def test_demand_that_returns_ends_the_retreat(
    spec: PolicySpec, fleet: list[Pod], queue: float
) -> None:
    signals = worlds.seen(queue_depth=4.0 * 13 + queue).signals
    needed = replace(looking(spec, fleet), signals=signals)
    decision = decide(spec, needed, Memory(since=LONG_AGO, slots_per_replica=4.0))
    assert decision.replicas >= len(fleet)
    assert draining.retreat_of(spec, needed, decision) is None


def test_deadline_is_that_of_the_policy() -> None:
    spec = policy(drain={"maxWait": "2m"})
    since = NOON - 2 * MINUTE
    due = shrinking(pod("a", 5), pod("b", 2, draining_since=since))
    decision = decide(spec, due, worlds.OLD)
    assert (decision.replicas, decision.reason) == (1, "DrainForced")
    assert "1 pod removed after 2m" in decision.message
    early = shrinking(pod("a", 5), pod("b", 2, draining_since=since + SECOND))
    assert decide(spec, early, worlds.OLD).hint.endswith("is forced from 12:00:01 on")


def test_hint_tells_the_deadline_that_comes_first() -> None:
    older = pod("b", 2, draining_since=NOON - 3 * MINUTE)
    newer = pod("c", 1, draining_since=NOON - MINUTE)
    decision = decide(policy(), shrinking(pod("a", 9), newer, older), worlds.OLD)
    assert "of 2 pods to go 2 are not idle yet (3 requests in flight)" in decision.message
    assert decision.hint == "would be 1 once idle, and is forced from 12:07:00 on"


def test_one_of_the_idle_pods_that_is_still_in_service_is_told() -> None:
    leaving = pod("b", detachable=True, draining_since=NOON - MINUTE)
    decision = decide(policy(), shrinking(pod("a", 1), leaving, pod("c")), worlds.OLD)
    assert "are still in service" in decision.steps[-1].message


def test_pod_that_was_just_taken_out_of_service_is_not_said_to_work() -> None:
    leaving = pod("b", detachable=True, draining_since=NOON)
    decision = decide(policy(), shrinking(pod("a", 1), leaving), worlds.OLD)
    assert "1 is not idle yet (just taken out of service)" in decision.message


def test_unknown_work_is_told_alone() -> None:
    decision = decide(policy(), shrinking(pod("a"), pod("b", UNKNOWN), pod("c", 1)), worlds.OLD)
    assert "(1 request in flight)" in decision.message
    spec = policy(minReplicas=0)
    unknown = decide(spec, shrinking(pod("a"), pod("b", UNKNOWN)), worlds.OLD)
    assert "not idle yet (1 pod without a reading)" in unknown.message


def test_no_pod_goes_while_fewer_are_there_than_are_wanted() -> None:
    growing = shrinking(pod("a"), pod("b"), replicas=5)
    chosen = retreat(policy(minReplicas=3), replace(growing, replicas=Replicas(5, 2, 3)))
    assert (chosen.replicas, names(chosen.leaving), names(chosen.waiting)) == (3, [], [])
