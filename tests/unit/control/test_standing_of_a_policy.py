"""What of the cluster stands in a policy's way, and who else writes its target's replicas."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentscaler import conventions
from agentscaler.act.mirror import Doubt
from agentscaler.act.rivals import Rival, Rivals
from agentscaler.act.targets import Targets
from agentscaler.act.workloads import Outdated, Target
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.api.status import ConditionType, Reason
from agentscaler.control.registry import Entry, Registry
from agentscaler.control.standing import Judge, Unknown, Workable, remarks
from agentscaler.errors import ClusterError, ForbiddenError, NotFoundError, NotScalableError
from agentscaler.report.troubles import Trouble
from tests.unit.control.bodies import MINUTE, NOON, body, workload

LATER = NOON + 5 * MINUTE
OURS = conventions.FIELD_MANAGER


class KnownTargets(Targets):
    """The one target, as the watch last told; or why nothing is known of it."""

    def __init__(self) -> None:
        self.known: Target | ClusterError | None = workload()

    def find(self, namespace: str, ref: ScaleTargetRef) -> Target | None:
        if isinstance(self.known, ClusterError):
            raise self.known
        return self.known


class KnownRivals(Rivals):
    """The other autoscalers of the one target."""

    def __init__(self) -> None:
        self.known: tuple[Rival, ...] = ()
        self.doubted: Doubt | None = None

    def doubt(self, namespace: str) -> Doubt | None:
        return self.doubted

    def of(self, namespace: str, kind: str, name: str) -> tuple[Rival, ...]:
        return self.known


class Court:
    """A judge, with all that it looks at."""

    def __init__(self) -> None:
        self.registry, self.targets, self.rivals = Registry(), KnownTargets(), KnownRivals()
        self._judge = Judge(self.registry, self.targets, self.rivals)

    def entry(self, **spec: Any) -> Entry:
        self.registry.note(None, body(**spec))
        found = self.registry.find("agents/agent")
        assert found is not None
        return found

    def sees(self, entry: Entry, target: Target, minutes: float = 0) -> Workable:
        """Judge while the target looks like this."""
        self.targets.known = target
        standing = self._judge.judge(entry, NOON + minutes * MINUTE)
        assert isinstance(standing, Workable)
        return standing

    def trouble(self, entry: Entry) -> Trouble:
        standing = self._judge.judge(entry, NOON)
        assert isinstance(standing, Trouble)
        return standing

    def unknown(self, entry: Entry) -> Unknown:
        standing = self._judge.judge(entry, NOON)
        assert isinstance(standing, Unknown)
        return standing


@pytest.fixture
def court() -> Court:
    return Court()


def test_policy_with_a_target_is_workable(court: Court) -> None:
    standing = court.sees(court.entry(), workload(3))
    assert standing.policy.key == "agents/agent"
    assert (standing.replicas.current, standing.replicas.ready) == (3, 3)


def test_spec_that_cannot_be_followed_is_told(court: Court) -> None:
    trouble = court.trouble(court.entry(minReplicas=5, maxReplicas=2))
    assert trouble.reason == Reason.INVALID_SPEC
    assert "minReplicas" in trouble.message


def test_younger_policy_on_the_target_stands_aside(court: Court) -> None:
    younger = court.entry(minutes=1)
    court.registry.note(None, body("elder"))
    trouble = court.trouble(younger)
    assert trouble.reason == Reason.TARGET_SHARED
    assert "elder" in trouble.message


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (None, Reason.TARGET_NOT_FOUND),
        (NotFoundError("no kind"), Reason.TARGET_NOT_SCALABLE),
        (NotScalableError("no scale"), Reason.TARGET_NOT_SCALABLE),
        (ForbiddenError("may not list"), Reason.FORBIDDEN),
    ],
    ids=["no such workload", "no such kind", "kind without scale", "no right"],
)
def test_target_that_cannot_be_had_is_told(
    court: Court, known: ClusterError | None, reason: str
) -> None:
    court.targets.known = known
    assert court.trouble(court.entry()).reason == reason


def test_target_of_which_nothing_is_known_is_left_as_it_is(court: Court) -> None:
    court.targets.known = ClusterError("list deployments: connection refused")
    assert "connection refused" in court.unknown(court.entry()).why


def test_other_autoscaler_makes_the_policy_stand_aside(court: Court) -> None:
    court.rivals.known = (Rival("HorizontalPodAutoscaler", "hpa"),)
    trouble = court.trouble(court.entry())
    assert trouble.reason == Reason.OTHER_AUTOSCALER
    assert "HorizontalPodAutoscaler hpa" in trouble.message


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
def test_policy_that_does_not_act_stands_beside_another_autoscaler(court: Court, mode: str) -> None:
    court.rivals.known = (Rival("HorizontalPodAutoscaler", "hpa"),)
    court.sees(court.entry(mode=mode), workload())


@pytest.mark.parametrize("drain", [None, {}])
def test_revisions_side_by_side_hold_back_those_who_drain(
    court: Court, drain: dict[str, str] | None
) -> None:
    stuck = replace(workload(5), mixed=True)
    replicas = court.sees(court.entry(drain=drain), stuck).replicas
    assert replicas.rolling_out is (drain is not None)


def test_policy_waits_while_its_rivals_are_not_known_yet(court: Court) -> None:
    court.rivals.doubted = Doubt(ClusterError("list: etcd is tired"), passing=True)
    why = court.unknown(court.entry()).why
    assert why == "whether another autoscaler is on the target: list: etcd is tired"


def test_rivals_that_can_never_be_known_keep_no_policy_from_its_work(court: Court) -> None:
    court.rivals.doubted = Doubt(ForbiddenError("may not list"), passing=False)
    doubt = court.sees(court.entry(), workload()).doubt
    assert doubt is not None
    assert (doubt.condition, doubt.reason) == (ConditionType.CONFLICT, Reason.RIVALS_UNKNOWN)
    assert "may not list" in doubt.message


def test_known_rival_counts_although_others_may_be_unknown(court: Court) -> None:
    court.rivals.doubted = Doubt(ClusterError("list: etcd is tired"), passing=True)
    court.rivals.known = (Rival("HorizontalPodAutoscaler", "hpa"),)
    assert court.trouble(court.entry()).reason == Reason.OTHER_AUTOSCALER


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
def test_policy_that_does_not_act_does_not_ask_for_rivals(court: Court, mode: str) -> None:
    court.rivals.doubted = Doubt(ClusterError("list: etcd is tired"), passing=True)
    assert court.sees(court.entry(mode=mode), workload()).doubt is None


def test_replicas_that_are_not_ready_are_starting(court: Court) -> None:
    target = workload(5)
    starting = Target(
        replicas=5,
        ready=2,
        updated=5,
        rolling_out=True,
        mixed=True,
        selector=target.selector,
        uid=target.uid,
        resource_version="8",
        writer=None,
    )
    replicas = court.sees(court.entry(), starting).replicas
    assert (replicas.current, replicas.ready, replicas.starting) == (5, 2, 3)
    assert replicas.rolling_out


def test_foreign_write_is_told_for_ten_minutes(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(4, writer=OURS))
    court.sees(entry, workload(2, version="8"), minutes=1)
    assert entry.contest is not None
    assert "kubectl-edit set spec.replicas to 2 where 4 had been decided" in entry.contest.message
    told = entry.contest
    court.sees(entry, workload(2, version="9"), minutes=10.9)
    assert entry.contest is told
    court.sees(entry, workload(2, version="9"), minutes=11)
    assert [entry.contest, entry.contested_until] == [None, None]


def test_each_further_foreign_write_is_told_anew(court: Court) -> None:
    entry = court.entry()
    for minutes, count in ((0, 4), (1, 2), (9, 3)):
        court.sees(entry, workload(count, version=str(count)), minutes)
    assert entry.contest is not None
    assert "to 3 where 2" in entry.contest.message
    assert entry.contested_until == NOON + timedelta(minutes=19)


def test_foreign_write_by_nobody_knows_whom_is_told_too(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(4))
    court.sees(entry, workload(2, version="8", writer=""))
    assert entry.contest is not None
    assert entry.contest.message.startswith("somebody set")


def test_first_look_and_equal_counts_are_no_foreign_write(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(4))
    court.sees(entry, workload(4, version="8"))
    assert entry.contest is None


def test_count_that_changed_while_nobody_led_is_a_foreign_write(court: Court) -> None:
    entry = court.entry(status={"currentReplicas": 4})
    court.sees(entry, workload(2))
    assert entry.contest is not None


def test_our_own_write_is_none(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(2))
    court.sees(entry, workload(6, version="8", writer=OURS))
    assert (entry.contest, entry.replicas) == (None, 6)


def test_write_of_another_operator_is_told(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(4))
    court.sees(entry, workload(2, version="8", writer=f"{OURS}@elsewhere/leader"))
    assert entry.contest is not None
    assert "uninstall one of the two operators" in entry.contest.message


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
def test_whoever_does_not_act_has_no_word_to_contest(court: Court, mode: str) -> None:
    entry = court.entry(mode=mode)
    court.sees(entry, workload(2))
    court.sees(entry, workload(6, version="8"))
    assert (entry.contest, entry.replicas) == (None, 6)


def test_watch_that_is_behind_our_own_change_is_not_believed(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(2, version="7"))
    entry.replicas, entry.outdated = 6, Outdated(("7",), LATER)
    behind = court.sees(entry, workload(2, version="7")).replicas
    assert (behind.current, behind.ready, behind.starting) == (6, 2, 4)
    assert entry.contest is None
    told = court.sees(entry, workload(6, version="8", writer=OURS)).replicas
    assert (told.current, told.starting) == (6, 0)
    assert entry.contest is None


@pytest.mark.parametrize("told", ["7", "8", "9"])
def test_versions_between_the_decision_and_the_patch_are_not_believed(
    court: Court, told: str
) -> None:
    entry = court.entry()
    court.sees(entry, workload(2, version="7"))
    # The watch may tell of 8, which we never saw.
    entry.replicas, entry.outdated = 6, Outdated(("7", "9"), LATER)
    assert court.sees(entry, workload(2, version=told)).replicas.current == 6
    assert entry.contest is None
    court.sees(entry, workload(2, version="10"))
    assert entry.contest is not None


@pytest.mark.parametrize(("told", "believed"), [("7", 6), ("8", 2)])
def test_versions_that_began_again_are_believed_after_a_while(
    court: Court, told: str, believed: int
) -> None:
    """As after etcd was restored; a watch that is silent goes on telling what it told before."""
    entry = court.entry()
    court.sees(entry, workload(2, version="7"))
    entry.replicas, entry.outdated = 6, Outdated(("7", "9"), NOON + MINUTE)
    found = court.sees(entry, workload(2, version=told), minutes=2)
    assert found.replicas.current == believed


def test_versions_that_are_no_numbers_have_no_order(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(2, version="a"))
    entry.replicas, entry.outdated = 6, Outdated(("a", "c"), LATER)
    assert court.sees(entry, workload(2, version="a")).replicas.current == 6
    assert court.sees(entry, workload(2, version="b")).replicas.current == 2


def test_foreign_write_right_after_our_own_is_noticed(court: Court) -> None:
    entry = court.entry()
    court.sees(entry, workload(2, version="7"))
    entry.replicas, entry.outdated = 6, Outdated(("7",), LATER)
    court.sees(entry, workload(3, version="9"))
    assert entry.contest is not None
    assert "to 3 where 6" in entry.contest.message


def test_policy_to_be_made_is_told_of_an_older_one_on_its_target() -> None:
    registry = Registry()
    registry.note(None, body("first"))
    (remark,) = remarks(registry, body("second"))
    assert remark.startswith("Policy first is older and scales the same target")
    assert not list(remarks(registry, body("first")))
    assert not list(remarks(registry, body("second", scaleTargetRef={"name": "other"})))
