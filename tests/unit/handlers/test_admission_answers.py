"""What the API server is told of a policy that somebody applies."""

from collections.abc import Iterator, Mapping
from typing import Any

from agentscaler import conventions
from agentscaler.handlers.admission import review
from tests.fakes.clocks import HandClock

SLOW = {"pollingInterval": "30s", "signals": {"latency": {"measures": "Wait"}}}
USELESS = {**SLOW, "threshold": {"scaleUp": {"cooldown": "20s"}}}


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": conventions.API_VERSION,
        "kind": conventions.KIND,
        "metadata": {"namespace": "agents", "name": "agent"},
        "spec": {"scaleTargetRef": {"name": "agent"}, **spec},
    }


def nothing(_body: Mapping[str, Any]) -> Iterator[str]:
    return iter(())


async def answered(
    body: dict[str, Any], before: dict[str, Any] | None = None, remark: str = ""
) -> dict[str, Any]:
    request = {"uid": "7", "object": body, "oldObject": before}
    remarks = (lambda _: iter([remark])) if remark else nothing
    answer = await review(request, remarks, HandClock())
    assert answer["uid"] == "7"
    return answer


async def test_good_policy_is_stored_without_a_word() -> None:
    assert await answered(policy()) == {"uid": "7", "allowed": True, "warnings": []}


async def test_errors_refuse_the_policy_and_name_the_field() -> None:
    answer = await answered(policy(minReplicas=5, maxReplicas=2))
    assert not answer["allowed"]
    assert answer["status"]["message"].startswith("spec: minReplicas must not exceed ")
    assert (answer["status"]["code"], answer["status"]["reason"]) == (422, "Invalid")


async def test_all_errors_are_told_at_once() -> None:
    day = {"name": "day", "start": "never", "end": "later", "minReplicas": 2}
    message = (await answered(policy(schedules=[day])))["status"]["message"]
    assert "spec.schedules[0].start: " in message
    assert "spec.schedules[0].end: " in message


async def test_what_a_newer_crd_knows_is_not_refused() -> None:
    newer = policy(futureField=1) | {"status": {"novelty": True}}
    assert (await answered(newer))["allowed"]


async def test_what_disappoints_is_told_and_stored() -> None:
    answer = await answered(policy(**USELESS))
    assert answer["allowed"]
    assert answer["warnings"] == [
        "spec.threshold.scaleUp.cooldown: 20s has no effect, for decisions are 30s apart: raise "
        "it, or set 0s"
    ]


async def test_remarks_on_others_are_told_last() -> None:
    answer = await answered(policy(**USELESS), remark="another one is here")
    assert answer["warnings"][-1] == "another one is here"


async def test_policy_whose_spec_stays_is_never_refused() -> None:
    bad = policy(minReplicas=5, maxReplicas=2)
    labelled = {**bad, "metadata": {**bad["metadata"], "labels": {"team": "a"}}}
    assert await answered(labelled, before=bad) == {"uid": "7", "allowed": True}
    assert not (await answered(bad, before=policy()))["allowed"]


async def test_long_warnings_are_cut_to_what_the_api_server_shows() -> None:
    (warning,) = (await answered(policy(), remark="word " * 100))["warnings"]
    assert len(warning) <= 256
    assert warning.endswith("word ...")
