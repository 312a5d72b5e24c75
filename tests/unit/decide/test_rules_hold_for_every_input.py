"""The rules of the decision that hold whatever the policy, the readings and the past."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.decide import bounds, safety
from agentscaler.decide.decision import Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Snapshot
from tests.unit.decide import worlds

World = tuple[PolicySpec, Snapshot, Memory]


@st.composite
def all_worlds(draw: st.DrawFn) -> World:
    seen = draw(worlds.snapshots())
    return draw(worlds.policies()), seen, draw(worlds.memories(seen.now))


@st.composite
def known_worlds(draw: st.DrawFn) -> World:
    seen = draw(worlds.snapshots(worlds.loads))
    return draw(worlds.policies()), seen, draw(worlds.memories(seen.now))


def held(policy: PolicySpec, seen: Snapshot) -> int:
    """Give the count that bounds alone would make of the present one."""
    limits = bounds.bounds_at(policy, seen.now)
    return min(max(seen.replicas.current, limits.low), limits.high)


@given(all_worlds())
def test_count_is_always_within_the_bounds(world: World) -> None:
    policy, seen, memory = world
    limits = bounds.bounds_at(policy, seen.now)
    assert limits.low <= decide(policy, seen, memory).replicas <= limits.high


@given(all_worlds())
def test_same_input_gives_the_same_decision(world: World) -> None:
    assert decide(*world) == decide(*world)


@given(all_worlds())
def test_steps_lead_from_the_present_count_to_the_decided_one(world: World) -> None:
    decision = decide(*world)
    counts = [step.before for step in decision.steps] + [decision.replicas]
    assert counts[0] == decision.current
    assert [step.after for step in decision.steps] == counts[1:]


@given(all_worlds())
def test_nothing_is_removed_while_an_essential_reading_is_unknown(world: World) -> None:
    policy, seen, memory = world
    assume(safety.unknown(policy, seen, memory))
    assert decide(policy, seen, memory).replicas >= held(policy, seen)


@given(all_worlds(), st.sampled_from(["partial", "first pass", "rollout"]))
def test_nothing_is_removed_in_doubt(world: World, doubt: str) -> None:
    policy, seen, memory = world
    match doubt:
        case "partial":
            seen = replace(seen, partial="half of the stores answered")
        case "first pass":
            memory = replace(memory, since=None)
        case _:
            seen = replace(seen, replicas=replace(seen.replicas, rolling_out=True))
    assert decide(policy, seen, memory).replicas >= held(policy, seen)


@given(all_worlds(), st.floats(0, 3000), st.floats(0, 3000))
def test_more_load_never_means_fewer_replicas(world: World, busier: float, longer: float) -> None:
    policy, seen, memory = world
    more = dict(seen.signals)
    for name, extra in ((SignalName.ACTIVE_REQUESTS, busier), (SignalName.QUEUE_DEPTH, longer)):
        reading = more[name]
        if not isinstance(reading, Missing):
            more[name] = reading + extra
    loaded = replace(seen, signals=more)
    assert decide(policy, loaded, memory).replicas >= decide(policy, seen, memory).replicas


@given(all_worlds())
def test_forecast_only_raises(world: World) -> None:
    policy, seen, memory = world
    blind = replace(seen, outlook=None)
    assert decide(policy, seen, memory).replicas >= decide(policy, blind, memory).replicas


@given(all_worlds())
def test_untrusted_forecast_changes_nothing(world: World) -> None:
    policy, seen, memory = world
    doubted = replace(seen, outlook=worlds.outlook(4000, trusted=False))
    blind = replace(seen, outlook=None)
    assert decide(policy, doubted, memory).replicas == decide(policy, blind, memory).replicas


@given(known_worlds())
def test_cooldown_of_the_direction_holds(world: World) -> None:
    policy, seen, memory = world
    decision = decide(policy, seen, memory)
    up, down = _cooldowns(policy)
    if memory.last_up is not None and seen.now - memory.last_up < up:
        assert decision.replicas <= held(policy, seen)
    if memory.last_down is not None and seen.now - memory.last_down < down:
        assert decision.replicas >= held(policy, seen)


def _cooldowns(policy: PolicySpec) -> tuple[timedelta, timedelta]:
    sizing = policy.sizing
    assert sizing is not None
    if isinstance(sizing, Threshold):
        return sizing.scale_up.cooldown, sizing.scale_down.cooldown
    return sizing.scale_up.cooldown, timedelta(0)


@given(all_worlds())
def test_demand_never_falls_below_the_highest_advice_of_its_window(world: World) -> None:
    policy, seen, memory = world
    assume(isinstance(policy.sizing, Demand))
    assert isinstance(policy.sizing, Demand)
    since = seen.now - policy.sizing.scale_down.cooldown
    advised = max((a.replicas for a in memory.advices if a.at > since), default=0)
    limits = bounds.bounds_at(policy, seen.now)
    floor = min(advised, seen.replicas.current, limits.high)
    assert decide(policy, seen, memory).replicas >= floor


@given(all_worlds())
def test_window_of_advices_stays_short_and_keeps_its_highest(world: World) -> None:
    policy, seen, memory = world
    after = decide(policy, seen, memory).memory.advices
    counts = [advice.replicas for advice in after]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts[:-1])) == len(counts[:-1])


@given(all_worlds())
def test_every_decision_says_why(world: World) -> None:
    decision = decide(*world)
    assert decision.reason.isidentifier()
    assert str(decision.replicas) in decision.message


@given(all_worlds())
def test_sentence_tells_the_move_and_whether_there_is_one(world: World) -> None:
    decision = decide(*world)
    moved = f"goes from {decision.current} to {decision.replicas}: "
    stays = f"stays at {decision.replicas}: "
    told = stays if decision.replicas == decision.current else moved
    assert decision.message.startswith(told)
