"""Whatever answers in place of Prometheus: nothing is removed, and two polls later all is well."""

import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from agentscaler import conventions
from tests.fakes.connected import PATIENT
from tests.fakes.faulty_prometheus import Request, Respond
from tests.fakes.leadership import Leader, leading
from tests.fakes.objects import Body

GAUGES = (conventions.QUEUE_DEPTH, conventions.ACTIVE_REQUESTS, conventions.CAPACITY)
# Only what never ends is waited for to the deadline; the rest may take as long as the machine does.
SHORT, LONG = timedelta(seconds=1.5), timedelta(seconds=10)
ENDLESS = ("hanging", "dripping")


def row(value: object, **more: str) -> dict[str, object]:
    return {"metric": {"namespace": "agents", "agent": "agent", **more}, "value": [0, str(value)]}


def shown(*values: object, **more: object) -> Respond:
    """Answer every query with these values of the agent."""
    return lambda request: request.result(*(row(value) for value in values), **more)


def drip(request: Request) -> None:
    request.begin(Content_Length="100000")
    while not request.server.ended.is_set():
        request.wfile.write(b" ")
        time.sleep(0.05)


def hang(request: Request) -> None:
    request.server.ended.wait(2 * SHORT.total_seconds())


def broken_off(request: Request) -> None:
    request.begin(Content_Length="1000")
    request.wfile.write(b'{"status": "success", "data": {"resul')
    request.close_connection = True


def old(request: Request) -> None:
    request.result(row(0), row(1, asp_sampled="1"))


@cache
def ten_megabytes() -> bytes:
    """Give a label that has exploded: series of which none is the agent's."""
    others = [
        {"metric": {"namespace": "agents", "agent": f"other-{number}"}, "value": [0, "0"]}
        for number in range(120_000)
    ]
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": others}}
    ).encode()


FAULTS: dict[str, Respond] = {
    "down": lambda request: request.refuse(503, "unavailable", "starting"),
    "busy": lambda request: request.refuse(429, "too_many", "later", Retry_After="3600"),
    "out of time": lambda request: request.refuse(503, "timeout", "query timed out"),
    "refusing": lambda request: request.refuse(422, "execution", "too many samples"),
    "login page": lambda request: request.answer(b"<html>Sign in</html>", Content_Type="text/html"),
    "other JSON": lambda request: request.answer_json({"message": "not here"}),
    "hanging": hang,
    "dripping": drip,
    "broken off": broken_off,
    "empty": lambda request: request.result(),
    "NaN": shown("NaN"),
    "infinity": shown("+Inf"),
    "negative": shown("-1"),
    "twice": shown(0, 0),
    "partial": shown(0, warnings=["store 3 is unavailable"]),
    "stale": old,
    "10 MB of others": lambda request: request.answer(ten_megabytes()),
}


async def steady(leader: Leader) -> int:
    """Have a fleet that is as large as its load needs; give its size."""
    leader.agent(replicas=4, active=20)
    leader.policy()
    for _ in range(4):
        await leader.run_pass(after=2)
        leader.settle()
        leader.load(active=20)
    assert leader.replicas() > 4
    return leader.replicas()


@pytest.fixture
async def leader(tmp_path: Path, fault: str) -> AsyncIterator[Leader]:
    deadline = SHORT if fault in ENDLESS else LONG
    async with leading(tmp_path, limits=PATIENT, deadline=deadline) as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_removed_on_bad_answers_and_the_load_counts_again_after(
    leader: Leader, fault: str
) -> None:
    size = await steady(leader)
    leader.load(active=0)
    leader.gauges.fault = FAULTS[fault]
    for _ in range(2):
        await leader.run_pass(after=5)
        assert leader.replicas() == size
    condition = _condition(leader, "MetricsAvailable")
    assert condition["status"] == "False"
    assert condition["message"]
    leader.gauges.fault = None
    for _ in range(2):
        await leader.run_pass(after=5)
    assert leader.replicas() == 1
    assert _condition(leader, "MetricsAvailable")["status"] == "True"


async def test_load_is_followed_among_ten_thousand_times_as_many_series(tmp_path: Path) -> None:
    async with leading(tmp_path, limits=PATIENT) as leader:
        await steady(leader)
        leader.load(active=60)
        for number in range(10_000):
            leader.gauges.show(f"other-{number}", active=1, queue=0, capacity=4)
        await leader.run_pass(after=5)
        assert leader.replicas() >= 15


def _condition(leader: Leader, type_: str) -> Body:
    return next(each for each in leader.status()["conditions"] if each["type"] == type_)
