"""The recorder: none twice, repeats counted, floods cut off, memory bounded."""

from datetime import datetime

from agentscaler.report.events import Notice, Reference
from agentscaler.report.recorder import OBJECT_LIMIT, QUEUE_FULL, Recorder
from tests.unit.report.scenes import MINUTE, NOON, SECOND


def notice(identity: int, *, uid: str = "uid", message: str = "", at: datetime = NOON) -> Notice:
    about = Reference("apps/v1", "Deployment", "agents", "web", uid)
    return Notice(about, "Normal", "ScaledUp", message or f"told {identity}", str(identity), at)


def test_notice_becomes_an_event() -> None:
    recorder = Recorder("pod-0")
    assert not recorder.offer([notice(1)], NOON)
    (body,) = recorder.take(NOON)
    assert body["metadata"]["name"] == notice(1).name
    assert (body["count"], body["reportingInstance"]) == (1, "pod-0")
    assert recorder.take(NOON) == []


def test_same_notice_is_sent_once() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(1), notice(1)], NOON)
    recorder.offer([notice(1)], NOON + MINUTE)
    assert len(recorder.take(NOON + MINUTE)) == 1


def test_same_words_are_counted_on_the_first_event() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(1, message="down")], NOON)
    recorder.offer([notice(2, message="down", at=NOON + MINUTE)], NOON + MINUTE)
    first, second = recorder.take(NOON + MINUTE)
    assert first["metadata"] == second["metadata"]
    assert (second["count"], second["firstTimestamp"], second["lastTimestamp"]) == (
        2,
        "2026-11-24T12:00:00Z",
        "2026-11-24T12:01:00Z",
    )


def test_same_words_after_an_hour_are_a_new_event() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(1, message="down")], NOON)
    recorder.offer([notice(2, message="down", at=NOON + 60 * MINUTE)], NOON + 60 * MINUTE)
    first, second = recorder.take(NOON + 60 * MINUTE)
    assert first["metadata"] != second["metadata"]
    assert second["count"] == 1


def test_one_object_has_a_burst_of_25_and_one_in_15_seconds() -> None:
    recorder = Recorder("pod-0")
    dropped = recorder.offer([notice(number) for number in range(30)], NOON)
    assert dropped == {OBJECT_LIMIT: 5}
    assert not recorder.offer([notice(99, uid="other")], NOON)
    assert recorder.offer([notice(30)], NOON + 14 * SECOND) == {OBJECT_LIMIT: 1}
    assert not recorder.offer([notice(31)], NOON + 16 * SECOND)
    assert recorder.offer([notice(32)], NOON + 16 * SECOND) == {OBJECT_LIMIT: 1}


def test_all_together_are_sent_at_twenty_a_second() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(number, uid=str(number)) for number in range(50)], NOON)
    assert [len(recorder.take(NOON + second * SECOND)) for second in range(4)] == [20, 20, 10, 0]


def test_what_is_put_back_is_handed_out_first_and_costs_nothing() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(number, uid=str(number)) for number in range(30)], NOON)
    taken = recorder.take(NOON)
    recorder.put_back(taken[5:])
    assert len(recorder) == 25
    assert recorder.take(NOON) == taken[5:]


def test_queue_is_bounded_and_tells_what_it_drops() -> None:
    recorder = Recorder("pod-0")
    dropped = recorder.offer([notice(number, uid=str(number)) for number in range(1010)], NOON)
    assert dropped == {QUEUE_FULL: 10}
    assert len(recorder) == 1000


def test_dropped_notice_is_taken_when_it_is_offered_again() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(number) for number in range(26)], NOON)
    assert not recorder.offer([notice(25)], NOON + 6 * MINUTE)


def test_clock_that_jumps_back_fills_no_bucket() -> None:
    recorder = Recorder("pod-0")
    recorder.offer([notice(number) for number in range(25)], NOON)
    assert recorder.offer([notice(25)], NOON - 60 * MINUTE) == {OBJECT_LIMIT: 1}


def test_memory_is_bounded() -> None:
    recorder = Recorder("pod-0")
    for number in range(5000):
        recorder.offer([notice(number, uid=str(number))], NOON + number * SECOND)
        recorder.take(NOON + number * SECOND)
    kept = (recorder._told, recorder._tales, recorder._budgets)
    assert [len(recent) for recent in kept] == [4096, 4096, 4096]
