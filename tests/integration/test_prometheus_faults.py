"""Every way in which something that should be Prometheus fails, and what we make of it."""

import asyncio
import contextlib
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agentscaler.clock import SystemClock
from agentscaler.decide.snapshot import Why
from agentscaler.errors import (
    BadQueryError,
    BadResponseError,
    SourceError,
    SourceTimeoutError,
    SourceUnavailableError,
)
from agentscaler.observe import answers
from agentscaler.observe.failures import (
    HeavyQueryError,
    SlowQueryError,
    UnreachableError,
    missing_of,
)
from agentscaler.observe.prometheus import Answer, Caller, Prometheus
from agentscaler.observe.transport import TooLargeError
from tests.fakes.connected import until
from tests.fakes.faulty_prometheus import Request, serving

CLOCK = SystemClock()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SEVEN = {"metric": {}, "value": [NOON.timestamp(), "7"]}


async def ask(address: str, *, seconds: float = 5.0, most_bytes: int = 100_000) -> Answer[Any]:
    """Put one question; what it gives is read as one number."""
    prometheus = Prometheus(address, CLOCK)
    caller = Caller(CLOCK.monotonic() + seconds, most_bytes=most_bytes)
    try:
        return await prometheus.instant("up", caller, NOON, answers.number_of)
    finally:
        prometheus.close()


async def fault(respond: Callable[[Request], None], **how: Any) -> SourceError:
    """Give the error that an answer leads to."""
    with serving(respond) as server, pytest.raises(SourceError) as raised:
        await ask(server.address, **how)
    return raised.value


async def test_question_carries_moment_and_time_limit() -> None:
    with serving(lambda request: request.result(SEVEN)) as server:
        answer = await ask(f"{server.address}/prefix/")
        path, _ = server.requests[0]
    assert answer == Answer(7.0)
    assert path.startswith("/prefix/api/v1/query?query=up&time=1767614400.0&timeout=39")


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and never listening: nobody else gets it
        yield taken.getsockname()[1]


async def test_refused_port_is_said_at_once(closed_port: int) -> None:
    began = time.monotonic()
    with pytest.raises(SourceUnavailableError, match=r"cannot be reached: Connection refused"):
        await ask(f"http://127.0.0.1:{closed_port}")
    assert time.monotonic() - began < 1, "it was tried again"


@pytest.fixture
def full_port() -> Iterator[int]:
    """Give a port where no connection is refused and none is taken, as at an address of nobody."""
    with contextlib.ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):  # more than it keeps for its owner, who never asks for them
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_address_that_takes_no_connection_is_not_waited_for_like_an_answer(
    full_port: int,
) -> None:
    began = time.monotonic()
    with pytest.raises(SourceUnavailableError, match=r"cannot be reached: it takes no connection"):
        await ask(f"http://127.0.0.1:{full_port}", seconds=20)
    assert time.monotonic() - began < 5  # 3 s; an answer may take 6 s


async def test_connection_cut_short_by_the_deadline_does_not_say_that_nobody_is_there(
    full_port: int,
) -> None:
    prometheus = Prometheus(f"http://127.0.0.1:{full_port}", CLOCK)
    caller = Caller(CLOCK.monotonic() + 5, patience=0.3)
    with pytest.raises(SourceTimeoutError, match=r"too little time was left for a connection"):
        await prometheus.instant("up", caller, NOON, answers.number_of)
    prometheus.close()


async def test_question_that_is_not_taken_in_time_does_not_say_that_nobody_is_there() -> None:
    """The server takes connections and reads nothing; what is sent fills all buffers between."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        port.listen()
        prometheus = Prometheus(f"http://127.0.0.1:{port.getsockname()[1]}", CLOCK)
        caller = Caller(CLOCK.monotonic() + 10, patience=0.5)
        with pytest.raises(SourceTimeoutError, match="did not answer in time"):
            await prometheus.instant("x" * 20_000_000, caller, NOON, answers.number_of)
        prometheus.close()


async def test_dead_server_takes_a_pass_no_longer_than_one_connection(full_port: int) -> None:
    """Five times as many questions as threads: those that wait for one are not tried."""
    prometheus = Prometheus(f"http://127.0.0.1:{full_port}", CLOCK, workers=2)
    began = CLOCK.monotonic()
    caller = Caller(began + 20)
    asked = [prometheus.instant("up", caller, NOON, answers.number_of) for _ in range(10)]
    got = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in got} == {UnreachableError}
    assert CLOCK.monotonic() - began < 5
    prometheus.close()


async def test_server_that_is_back_is_asked_again() -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        prometheus = Prometheus(f"http://127.0.0.1:{port.getsockname()[1]}", CLOCK)
        with pytest.raises(UnreachableError):
            await prometheus.instant("up", Caller(CLOCK.monotonic() + 5), NOON, answers.number_of)
        port.listen()  # it takes the connection, and says nothing
        with pytest.raises(SourceTimeoutError):
            await prometheus.instant("up", Caller(CLOCK.monotonic() + 0.5), NOON, answers.number_of)
        prometheus.close()


async def test_unknown_host_is_said() -> None:
    with pytest.raises(SourceUnavailableError, match=r"prometheus\.invalid:9090 cannot be reached"):
        await ask("http://user:secret@prometheus.invalid:9090", seconds=20)


async def test_silent_server_is_given_up_at_the_deadline() -> None:
    def silent(request: Request) -> None:
        request.server.ended.wait(10)

    began = time.monotonic()
    error = await fault(silent, seconds=0.4)
    assert isinstance(error, SourceTimeoutError)
    assert time.monotonic() - began < 5  # it is silent for 10


async def test_dripping_server_is_given_up_at_the_deadline() -> None:
    """Each byte comes in time; all of them never do."""

    def drip(request: Request) -> None:
        request.begin(Content_Length="1000")
        while not request.server.ended.wait(0.05):
            request.wfile.write(b" ")

    began = time.monotonic()
    error = await fault(drip, seconds=0.5)
    assert isinstance(error, SourceTimeoutError)
    assert time.monotonic() - began < 5  # all bytes take 50


async def test_dripping_server_gets_its_thread_back() -> None:
    def drip(request: Request) -> None:
        request.begin(Content_Length="1000")
        while not request.server.ended.wait(0.05):
            request.wfile.write(b" ")

    with serving(drip) as server:
        prometheus = Prometheus(server.address, CLOCK)
        caller = Caller(CLOCK.monotonic() + 0.3, patience=0.5)
        with pytest.raises(SourceTimeoutError):
            await prometheus.instant("up", caller, NOON, answers.number_of)
        for _ in range(100):
            if not prometheus.abandoned:
                break
            await CLOCK.sleep(0.05)
        assert prometheus.abandoned == 0
        prometheus.close()


async def test_thread_of_a_silent_server_is_counted() -> None:
    def late(request: Request) -> None:
        request.server.ended.wait(1.0)
        request.result(SEVEN)

    with serving(late) as server:
        prometheus = Prometheus(server.address, CLOCK)
        # The head of the answer is late: the thread cannot see the deadline before it comes.
        work = prometheus.instant("up", Caller(CLOCK.monotonic() + 5), NOON, answers.number_of)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(work, 0.2)
        assert prometheus.abandoned == 1
        server.ended.set()
        await until(lambda: not prometheus._given_up)  # nor is its answer kept for ever
        assert prometheus.abandoned == 0
        prometheus.close()


async def test_question_without_time_left_is_not_sent() -> None:
    with serving(lambda request: request.result(SEVEN)) as server:
        with pytest.raises(SourceTimeoutError):
            await ask(server.address, seconds=-1)
        assert server.requests == []


async def test_login_page_is_no_answer() -> None:
    error = await fault(lambda request: request.answer(b"<html>Please log in</html>"))
    assert isinstance(error, BadResponseError)
    assert "answers, but not as Prometheus: '<html>Please log in</html>'" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="no data"),
        pytest.param({"data": None}, id="null data"),
        pytest.param([], id="a list"),
        pytest.param("up", id="a text"),
        pytest.param({"data": {"result": [{"value": [0, "1"]}, 3]}}, id="strange series"),
        pytest.param({"data": {"result": 7}}, id="a number for a result"),
    ],
)
async def test_other_json_is_no_answer(content: Any) -> None:
    def read(result: list[Any]) -> Any:
        return answers.table_of(result)

    with serving(lambda request: request.answer_json(content)) as server:
        prometheus = Prometheus(server.address, CLOCK)
        with pytest.raises(BadResponseError, match="no Prometheus result"):
            await prometheus.instant("up", Caller(CLOCK.monotonic() + 5), NOON, read)
        prometheus.close()


async def test_deeply_nested_json_is_no_answer() -> None:
    error = await fault(lambda request: request.answer(b"[" * 90_000))
    assert isinstance(error, BadResponseError)


async def test_truncated_json_is_no_answer() -> None:
    error = await fault(lambda request: request.answer(b'{"status":"success","data":{"resu'))
    assert isinstance(error, BadResponseError)


async def test_broken_off_answer_is_no_answer() -> None:
    def break_off(request: Request) -> None:
        request.begin(Content_Length="1000")
        request.wfile.write(b'{"status":')
        request.close_connection = True

    error = await fault(break_off)
    assert isinstance(error, BadResponseError)


async def test_hung_up_server_is_unavailable() -> None:
    def hang_up(request: Request) -> None:
        request.connection.shutdown(socket.SHUT_RDWR)

    assert isinstance(await fault(hang_up), SourceUnavailableError)


async def test_huge_answer_is_refused_before_it_is_taken_in() -> None:
    sent = []

    def huge(request: Request) -> None:
        request.begin(Content_Length=str(10**12))
        while not request.server.ended.is_set():
            request.wfile.write(b" " * 65_536)
            sent.append(65_536)

    error = await fault(huge, most_bytes=1_000_000)
    assert isinstance(error, TooLargeError)
    assert missing_of(error).why is Why.REFUSED
    assert sum(sent) < 100_000_000


async def test_small_answer_that_unpacks_to_a_huge_one_is_refused() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    error = await fault(
        lambda request: request.answer(bomb, Content_Encoding="gzip"), most_bytes=1_000_000
    )
    assert isinstance(error, TooLargeError)


async def test_packed_answer_is_unpacked() -> None:
    body = gzip.compress(b'{"status":"success","data":{"resultType":"vector","result":[]}}')
    with serving(lambda request: request.answer(body, Content_Encoding="gzip")) as server:
        assert (await ask(server.address)).content == answers.NO_SERIES


async def test_redirect_is_not_followed() -> None:
    elsewhere = "http://127.0.0.1:1/login"
    with serving(lambda request: request.answer(b"", 302, Location=elsewhere)) as server:
        with pytest.raises(BadResponseError, match=r"redirects to http://127\.0\.0\.1:1/login"):
            await ask(server.address)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 422])
async def test_refused_query_keeps_the_sentence_of_prometheus(status: int) -> None:
    sentence = 'invalid parameter "query": 1:4: parse error: unclosed left parenthesis'
    error = await fault(lambda request: request.refuse(status, "bad_data", sentence))
    assert isinstance(error, BadQueryError)
    assert str(error) == sentence
    assert missing_of(error).why is Why.REFUSED


@pytest.mark.parametrize(
    ("status", "sentence", "expected"),
    [
        (503, "query timed out in expression evaluation", SlowQueryError),
        (422, "context deadline exceeded", SlowQueryError),
        (422, "query processing would load too many samples into memory", HeavyQueryError),
        (500, "boom", SourceUnavailableError),
        (401, "who are you", SourceUnavailableError),
        (404, "", BadResponseError),
    ],
)
async def test_error_of_the_server_is_told_apart(
    status: int, sentence: str, expected: type[SourceError]
) -> None:
    error = await fault(lambda request: request.refuse(status, "any", sentence))
    assert type(error) is expected


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_server_is_not_waited_for(status: int) -> None:
    began = time.monotonic()
    error = await fault(lambda request: request.answer(b"busy", status, Retry_After="3600"))
    assert isinstance(error, SourceUnavailableError)
    assert f"answers {status}" in str(error)
    assert time.monotonic() - began < 60  # of the hour that it asks for


async def test_refusal_without_json_is_no_prometheus() -> None:
    error = await fault(lambda request: request.answer(b"<html>Bad Request</html>", 400))
    assert isinstance(error, BadResponseError)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-3"])
async def test_value_that_is_no_amount_is_missing(value: str) -> None:
    with serving(lambda request: request.result({"metric": {}, "value": [0, value]})) as server:
        answer = await ask(server.address)
    assert answer.content.why is Why.NOT_A_NUMBER


async def test_warning_of_the_server_is_passed_on() -> None:
    def partial(request: Request) -> None:
        request.result(SEVEN, warnings=["store-3: connection refused", "PromQL warning: le"])

    with serving(partial) as server:
        answer = await ask(server.address)
    assert answer == Answer(7.0, "store-3: connection refused")


@pytest.mark.parametrize(
    "more",
    [
        {"infos": ["PromQL info: metric might not be a counter"]},
        {"warnings": ["PromQL warning: bucket label le is missing"]},
        {"warnings": None},
    ],
)
async def test_remark_on_a_query_is_no_partial_answer(more: dict[str, Any]) -> None:
    with serving(lambda request: request.result(SEVEN, **more)) as server:
        assert (await ask(server.address)).warning == ""


async def test_series_named_warnings_is_no_warning() -> None:
    series = {"metric": {"warnings": "many"}, "value": [0, "7"]}
    with serving(lambda request: request.result(series)) as server:
        assert (await ask(server.address)).warning == ""
