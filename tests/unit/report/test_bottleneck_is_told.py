"""A bottleneck is written and told when its verdict changes, and at no other time."""

import pytest

from agentscaler.api.status import BottleneckStatus, PolicyStatus, Reason
from agentscaler.report import composing, events, story
from agentscaler.report.events import Notice
from tests.unit.report.scenes import MINUTE, NOON, TARGET, is_material, policy

POLICY = events.refer(policy())
FULL = BottleneckStatus(
    verdict="Replicas", replicas_help="Yes", message="90% of the slots are busy"
)
SLOW = BottleneckStatus(verdict="SlowOperation", message="the model is slow")


def having(bottleneck: BottleneckStatus | None) -> PolicyStatus:
    return PolicyStatus(bottleneck=bottleneck)


def told(old: BottleneckStatus | None, new: BottleneckStatus | None) -> tuple[Notice, ...]:
    return events.between(having(old), having(new), policy=POLICY, target=None, now=NOON)


@pytest.mark.parametrize("old", [None, SLOW])
def test_event_tells_the_verdict_when_it_is_new(old: BottleneckStatus | None) -> None:
    (notice,) = told(old, FULL)
    assert (notice.about, notice.reason) == (POLICY, Reason.BOTTLENECK_FOUND)
    assert notice.message == "Replicas: 90% of the slots are busy"


def test_no_event_tells_the_same_verdict_again_or_that_there_is_none() -> None:
    fuller = FULL.model_copy(update={"message": "95% of the slots are busy"})
    assert told(FULL, fuller) == told(FULL, None) == ()


def test_status_is_written_only_when_the_verdict_changes() -> None:
    fuller = FULL.model_copy(update={"message": "95% of the slots are busy"})
    assert is_material(having(None), having(FULL))
    assert is_material(having(FULL), having(SLOW))
    assert is_material(having(FULL), having(None))
    assert not is_material(having(FULL), having(fuller))


def test_story_has_a_line_only_for_a_bottleneck() -> None:
    assert story.tell(having(FULL)) == ("Bottleneck: 90% of the slots are busy (Replicas).",)
    assert story.tell(having(None)) == ()


def test_pause_ends_the_verdict() -> None:
    old = having(FULL)
    paused = composing.paused(old, policy(), target=TARGET, replicas=None, now=NOON + MINUTE)
    assert paused.bottleneck is None
