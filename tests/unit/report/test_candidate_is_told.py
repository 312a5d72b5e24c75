"""The candidate in the status, in the metrics and in words; taken up again after a restart."""

from datetime import timedelta

from agentscaler.api.status import PolicyStatus
from agentscaler.decide import shadow
from agentscaler.decide.decision import Decision
from agentscaler.decide.shadow import Account, Shadow
from agentscaler.report import candidates, figures, outlines, status, story
from tests.unit.decide.worlds import NOON, policy, seen
from tests.unit.report.scenes import is_material

LIVED = Shadow(
    since=NOON - timedelta(hours=2),
    at=NOON - timedelta(seconds=15),
    replicas=3,
    candidate=Account(6 * 3600.0, 75.5),
    active=Account(8 * 3600.0, 12.0),
)


def decided() -> tuple[Decision, Shadow]:
    spec = policy(candidate={"demand": {}}).rehearsed
    assert spec is not None
    return shadow.follow(spec, seen(replicas=4, active_requests=8.0), LIVED, timedelta(seconds=30))


def recorded() -> PolicyStatus:
    return PolicyStatus(last_update_time=NOON, candidate=candidates.of(*decided()))


def test_status_tells_both_accounts() -> None:
    told = status.dump(recorded())["candidate"]
    assert told["desiredReplicas"] == 4
    assert (told["replicaHours"], told["activeReplicaHours"]) == ("6.01", "8.02")
    assert (told["waiting"], told["activeWaiting"]) == ("1m15s", "12s")
    assert told["message"].startswith("goes from 3 to 4")


def test_restart_goes_on_with_both_accounts() -> None:
    found = candidates.recall(status.parse_status(status.dump(recorded())))
    assert found is not None
    assert (found.since, found.at, found.replicas) == (LIVED.since, NOON, 4)
    assert found.candidate == Account(6.01 * 3600, 75)
    assert found.active == Account(8.02 * 3600, 12)


def test_nothing_is_taken_up_where_nothing_is_recorded() -> None:
    assert candidates.recall(PolicyStatus(last_update_time=NOON)) is None


def test_damaged_account_is_dropped() -> None:
    document = status.dump(recorded())
    document["candidate"]["waiting"] = "a while"
    found = status.read(document)
    assert found.status.candidate is None
    assert "status.candidate.waiting" in found.dropped[0]


def test_change_of_its_count_is_worth_a_write_and_one_of_its_account_is_not() -> None:
    before = recorded()
    assert before.candidate is not None
    more = before.candidate.model_copy(update={"replica_hours": "7.00"})
    other = before.candidate.model_copy(update={"desired_replicas": 5})
    written = [
        is_material(before, before.model_copy(update={"candidate": each})) for each in (more, other)
    ]
    assert written == [False, True]


def test_story_has_a_line_of_it() -> None:
    line = next(line for line in story.tell(recorded()) if line.startswith("Candidate"))
    assert "6.01 replica-hours, not 8.02" in line
    assert "wait for 1m15s, not 12s" in line


def test_metrics_have_its_count_and_both_accounts() -> None:
    page = b"\n".join(
        figures.pages({("agents", "research"): figures.of(outlines.of(recorded()))})
    ).decode()
    labels = 'namespace="agents",policy="research"'
    assert f'agentscaler_policy_replicas{{{labels},state="candidate"}} 4' in page
    for metric, fleet, value in (
        ("replica_hours", "candidate", 6.01),
        ("replica_hours", "active", 8.02),
        ("waiting_seconds", "candidate", 75.0),
        ("waiting_seconds", "active", 12.0),
    ):
        assert f'agentscaler_policy_candidate_{metric}{{{labels},fleet="{fleet}"}} {value}' in page
