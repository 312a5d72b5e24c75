"""The story: what `kubectl describe` shows as sentences."""

from agentscaler.api.signals import SignalName
from agentscaler.api.status import MAX_LINE, Outcome, PolicyStatus
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.report import composing, readings, story, troubles, wording
from tests.unit.report.scenes import BUSY, FACTS, MINUTE, NOON, decided, outlook, policy, seen

BOUND = policy(maxReplicas=5)


def limited() -> PolicyStatus:
    signals = {**BUSY, SignalName.LATENCY: Missing(Why.EMPTY, "no series")}
    snapshot = seen(signals, outlook=outlook())
    return composing.decided(PolicyStatus(), BOUND, snapshot, decided(BOUND, snapshot), FACTS)


def test_story_tells_what_is_seen_decided_and_done() -> None:
    status = composing.ended(limited(), limited().history[0], Outcome.APPLIED)
    assert story.tell(status) == (
        "Replicas: 5 asked for, 4 ready, 5 wanted.",
        "Sees: 12 requests waiting, 16 requests in service, 16 slots in all, "
        "0.4% of requests failing.",
        "Does not see: latency (no series).",
        "Decided: goes from 4 to 5: 16 busy and 12 waiting need 40.6 slots of 4 a replica; "
        "maxReplicas allows at most 5.",
        "Reason: AtMaximum, since 2026-11-24 12:00:00Z.",
        "Otherwise: Would be 8 without maxReplicas.",
        "Expects: 18.3 busy slots in 42s, at most 24.6 (Mixture, trusted: off by 9 % lately where "
        "the last value is off by 14 %).",
        "Attention: ScalingLimited is True since 2026-11-24 12:00:00Z (AtMaximum): maxReplicas "
        "allows at most 5. Would be 8 without maxReplicas. Raise the bound if more may run.",
        "Before: 2026-11-24 12:00:00Z went from 4 to 5 (AtMaximum): 16 busy and 12 waiting need "
        "40.6 slots of 4 a replica; maxReplicas allows at most 5.",
    )


def test_story_tells_what_is_about_to_be_done_and_what_failed() -> None:
    pending = limited()
    failed = composing.ended(pending, pending.history[0], Outcome.FAILED, failure="forbidden")
    assert story.event(pending.history[0]).startswith(
        "2026-11-24 12:00:00Z about to go from 4 to 5 (AtMaximum): 16 busy"
    )
    assert story.event(failed.history[0]).startswith(
        "2026-11-24 12:00:00Z failed to go from 4 to 5 (AtMaximum, but forbidden): 16 busy"
    )


def test_story_says_a_reason_once_for_all_signals_that_share_it() -> None:
    missing = {"activeRequests": "no series", "queueDepth": "no series", "wait": "stale"}
    assert story.tell(PolicyStatus(missing=missing)) == (
        "Does not see: queueDepth, activeRequests (no series); wait (stale).",
    )


def test_story_has_no_line_that_the_api_server_refuses() -> None:
    missing = {f"metric/number-{each}": f"{each} {'x' * 200}" for each in range(9)}
    status = limited().model_copy(update={"missing": missing})
    assert max(len(line) for line in story.tell(status)) == MAX_LINE


def test_story_says_what_is_wrong_once() -> None:
    trouble = troubles.target_shared("agents/older")
    halted = composing.halted(PolicyStatus(), trouble, generation=1, now=NOON)
    assert story.tell(halted) == (
        f"Attention: Ready is False since 2026-11-24 12:00:00Z (TargetShared): {trouble.message}",
    )


def test_story_says_nothing_of_a_recommendation_that_is_meant() -> None:
    advising = policy(mode="Recommend", demand={"scaleUp": {"maxStep": 50}}, maxReplicas=50)
    status = composing.decided(PolicyStatus(), advising, seen(), decided(advising, seen()), FACTS)
    told = story.tell(status)
    assert not any(line.startswith("Attention") for line in told)
    assert "recommended to go from 4 to 11" in told[-1]


def test_story_is_short_however_long_the_history() -> None:
    status = limited()
    for minute in range(1, 12):
        snapshot = seen(replicas=4, at=NOON + minute * MINUTE)
        decision = decided(BOUND, snapshot)
        status = status.model_copy(update={"desired_replicas": minute})
        status = composing.decided(status, BOUND, snapshot, decision, FACTS)
    assert len(status.history) == 11
    assert sum(line.startswith("Before") for line in story.tell(status)) == 5


def test_amounts_have_units_and_three_digits() -> None:
    told = {
        ("queueDepth", 12.0): "12",
        ("queueDepth", 12345.6): "12346",
        ("latency", 4.2361): "4.24s",
        ("arrivalRate", 0.3333): "0.333/s",
        ("errorRatio", 0.0123456): "1.23%",
        ("metric/open-tickets", 99.96): "100",
    }
    assert {key: readings.amount(*key) for key in told} == told


def test_sentence_keeps_the_names_of_fields() -> None:
    assert wording.sentence("would be 9") == "Would be 9."
    assert wording.sentence("maxReplicas allows 5.") == "maxReplicas allows 5."


def test_cause_is_the_message_without_its_count() -> None:
    assert wording.cause("goes from 4 to 7: 38 busy: all") == "38 busy: all"
    assert wording.cause("stays at 4: idle") == "idle"
    assert wording.cause("held: unknown") == "held: unknown"
