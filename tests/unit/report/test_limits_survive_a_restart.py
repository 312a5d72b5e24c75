"""What is known of limits goes through the status, as text of the API server, and comes back."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

from hypothesis import given
from rich.console import Console

from agentscaler.api.status import LimitsStatus, PolicyStatus
from agentscaler.cli import explain
from agentscaler.decide.decision import Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.limits import Ceiling, Learned, Spend, Still
from agentscaler.report import account, limits, status, story
from tests.unit.decide import worlds
from tests.unit.decide.worlds import LIMITS, NOON, OLD, policy, seen
from tests.unit.report.scenes import is_material

SPEC = policy(limits=LIMITS)


def through_the_status(known: Learned, replicas: int = 4) -> Learned:
    """Write what is known, as after a decision, and read it back."""
    decision = decide(SPEC, seen(replicas=replicas), OLD)
    decision = replace(decision, memory=Memory(limits=known))
    told = PolicyStatus(current_replicas=replicas, limits=limits.written(SPEC, decision))
    back = status.parse_status(status.dump(told))
    return limits.recalled(back.limits, back.current_replicas)


@given(worlds.known_limits(NOON))
def test_ceilings_spend_and_phantoms_come_back_as_they_were(known: Learned) -> None:
    back = through_the_status(known)
    assert back.ceilings == known.ceilings
    assert back.replicas == 4
    if known.spend is None:
        assert back.spend is None
    else:
        assert back.spend is not None
        assert (back.spend.start, back.spend.at) == (known.spend.start, known.spend.at)
        assert abs(back.spend.replica_hours - known.spend.replica_hours) <= 0.0001
    is_phantom = known.still is not None and known.still.phantom
    assert back.still == (known.still if is_phantom else None)


def test_nothing_known_is_nothing_written() -> None:
    decision = decide(policy(), seen(), OLD)
    assert limits.written(policy(), decision) is None
    assert limits.recalled(None, 7) == Learned(replicas=7)


def test_gap_of_a_restart_is_paid_at_the_larger_count() -> None:
    before = Spend(NOON - timedelta(hours=12), 40.0, NOON)
    back = through_the_status(Learned(spend=before), replicas=8)
    later = seen(NOON + timedelta(hours=2), replicas=5)
    after = decide(SPEC, later, replace(OLD, limits=back)).memory.limits.spend
    assert after is not None
    assert after.replica_hours == 56.0


def test_new_ceiling_is_worth_a_write_and_more_spend_is_not() -> None:
    def told(ceiling: int, hours: float) -> PolicyStatus:
        known = Learned(
            ceilings=(Ceiling("openai", ceiling, 1, NOON),), spend=Spend(NOON, hours, NOON)
        )
        decision = replace(decide(SPEC, seen(), OLD), memory=Memory(limits=known))
        return PolicyStatus(limits=limits.written(SPEC, decision))

    assert is_material(told(8, 1.0), told(7, 1.0))
    assert not is_material(told(8, 1.0), told(8, 1.1))


def test_damaged_record_is_dropped() -> None:
    raw = {"limits": {"budget": {"since": "yesterday", "asOf": "now"}}}
    assert status.parse_status(raw).limits is None
    assert limits.recalled(LimitsStatus(), None) == Learned()


def test_story_and_explanation_tell_what_is_known() -> None:
    known = Learned(
        ceilings=(Ceiling("openai", 8, 1, NOON),),
        spend=Spend(NOON - timedelta(hours=12), 40.0, NOON),
        still=Still(3.0, NOON, phantom=True),
    )
    decision = replace(decide(SPEC, seen(), OLD), memory=Memory(limits=known))
    told = PolicyStatus(limits=limits.written(SPEC, decision))
    lines = (
        "Limit: provider openai takes the calls of 8 replicas, as was learned until "
        "2026-03-02 12:00:00Z.",
        f"Budget: 20.00 spent from 2026-03-02 00:00:00Z to 2026-03-02 12:00:00Z, "
        f"{20 + decision.replicas * 6:.2f} at the end of the window if the count stays.",
        "Phantoms: 3 requests in service since 2026-03-02 12:00:00Z do not count.",
    )
    assert story.tell(told) == lines
    body = {"metadata": {"name": "a", "namespace": "b"}, "status": status.dump(told)}
    account_of = account.of(body)
    assert account_of["limits"]["told"] == list(lines)
    console = Console(width=200, record=True, file=StringIO())
    console.print(explain.render(account_of))
    assert lines[0] in console.export_text()


def test_mere_suspicion_is_not_recorded() -> None:
    assert through_the_status(Learned(still=Still(3.0, NOON))).still is None
