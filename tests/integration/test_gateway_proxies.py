"""What passes through the gateway: streams, sockets, large bodies, headers, and how they break."""

import asyncio
import resource
import shutil
from collections.abc import AsyncIterator

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.integration.gateway_world import agents_running, eventually, gateway_of

CURL = shutil.which("curl")
WRK = shutil.which("wrk")
MEBIBYTE = 2**20


async def test_event_stream_arrives_token_by_token() -> None:
    async with (
        agents_running(1) as [agent],
        gateway_of([agent]) as world,
        world.client.get(world.url + "/tokens") as answer,
    ):
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b"data: one\n\n"
        agent.go_on.set()  # the second is sent only when the first has arrived
        assert await answer.content.readuntil(b"\n\n") == b"data: two\n\n"
        assert await answer.content.read() == b""


async def test_request_reaches_the_agent_as_it_was_written() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        headers = {
            "X-Forwarded-For": "192.0.2.1",
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "only to the gateway",
            "Accept-Encoding": "gzip",
            "Host": "agents.example",
        }
        await world.get("/?q=a%20b%2Fc&&d", headers=headers)
        [seen] = agent.seen
        assert seen.raw_path == "/?q=a%20b%2Fc&&d"
        assert seen.headers["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
        assert seen.headers["X-Forwarded-Proto"] == "http"
        assert seen.headers["X-Forwarded-Host"] == seen.headers["Host"] == "agents.example"
        assert "X-Hop" not in seen.headers


async def test_long_addresses_and_headers_pass() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        long = "x" * 30_000
        assert (await world.get(f"/?{long}", headers={"Authorization": long}))[0] == 200
        [seen] = agent.seen
        assert (seen.headers["Authorization"], seen.query_string) == (long, long)


async def test_head_and_empty_answers_keep_their_form() -> None:
    async with (
        agents_running(1) as [agent],
        gateway_of([agent]) as world,
        world.client.head(world.url + "/") as answer,
    ):
        assert answer.headers["Content-Length"] == str(len("agent-0 answers"))
        assert await answer.read() == b""


async def test_large_bodies_pass_both_ways_in_little_memory() -> None:
    async def upload() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(MEBIBYTE)

    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with world.client.post(world.url + "/count", data=upload()) as answer:
            assert await answer.text() == str(100 * MEBIBYTE)
        received = 0
        async with world.client.get(world.url + "/big?mebibytes=100") as answer:
            async for piece in answer.content.iter_any():
                received += len(piece)
        assert received == 100 * MEBIBYTE
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown * 1024 < 32 * MEBIBYTE


async def test_slow_reader_holds_the_agent_back() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        async with world.client.get(world.url + "/big?mebibytes=64") as answer:
            await answer.content.read(1)
            await asyncio.sleep(0.5)
            assert agent.done == []  # it would have ended long ago, had nobody held it back
            answer.close()
        await eventually(lambda: agent.cancelled == 1)


async def test_client_that_leaves_cancels_the_work_and_gives_the_lease_back() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        async with world.client.get(world.url + "/tokens") as answer:
            await answer.content.readuntil(b"\n\n")
            assert [each.active for each in world.route.pool.backends] == [1]
            answer.close()
        await eventually(lambda: agent.cancelled == 1)
        await eventually(lambda: [each.active for each in world.route.pool.backends] == [0])
        with pytest.raises(TimeoutError):
            await world.get("/held", timeout=aiohttp.ClientTimeout(total=0.2))
        await eventually(lambda: agent.cancelled == 2)
        ended = "agentscaler_gateway_requests_total"
        assert await world.metric(ended, 'outcome="cancelled"') == 2
        assert await world.metric("agentscaler_gateway_backend_active_requests") == 0


async def test_answer_that_breaks_off_is_seen_to_be_broken() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        with pytest.raises(aiohttp.ClientPayloadError):
            await world.get("/half")
        assert await world.metric("agentscaler_gateway_requests_total", 'outcome="error"') == 1
        assert await world.metric("agentscaler_gateway_backend_error_ratio") == 1


async def test_silent_agent_is_a_504_and_a_failing_one_passes_its_own_answer() -> None:
    async with (
        agents_running(1) as [agent],
        gateway_of([agent], timeouts={"idle": "200ms"}) as world,
    ):
        assert (await world.get("/held"))[0] == 504
        assert await world.get("/broken") == (500, "broken")
        assert (await world.get("/", headers={"X-Id": "after"}))[0] == 200


async def test_path_that_no_route_has_is_a_404() -> None:
    async with agents_running(1) as [agent], gateway_of([agent], path="/research") as world:
        assert (await world.get("/other"))[0] == 404
        assert (await world.get("/researcher"))[0] == 404
        assert agent.seen == []


async def test_websocket_passes_texts_bytes_pings_and_the_close() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        url = world.url.replace("http", "ws") + "/chat"
        async with connect(url, subprotocols=[Subprotocol("agent.v1")], max_size=None) as socket:
            assert socket.subprotocol == "agent.v1"
            await socket.send("hello")
            assert await socket.recv() == "agent-0: hello"
            await socket.send(bytes(3 * MEBIBYTE))
            assert await socket.recv() == bytes(3 * MEBIBYTE)
            await (await socket.ping(b"there?"))
            assert [each.active for each in world.route.pool.backends] == [1]
            await socket.send("bye")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")
        await eventually(lambda: [each.active for each in world.route.pool.backends] == [0])


async def test_websocket_that_is_refused_is_refused_in_the_agents_words() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        url = world.url.replace("http", "ws") + "/chat"
        wrong = {"Authorization": "Bearer wrong"}
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, additional_headers=wrong):
                raise AssertionError("it must not open")
        assert refused.value.response.status_code == 403
        assert refused.value.response.headers["X-Agent"] == "agent-0"


async def test_websocket_client_that_vanishes_frees_the_agent() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        url = world.url.replace("http", "ws") + "/chat"
        socket = await connect(url)
        socket.transport.abort()
        await eventually(lambda: len(agent.done) + agent.cancelled == 1)
        await eventually(lambda: [each.active for each in world.route.pool.backends] == [0])


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
async def test_curl_uploads_with_expectation_and_downloads() -> None:
    assert CURL is not None
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        upload = await asyncio.create_subprocess_exec(
            CURL, "--silent", "--show-error", "--data-binary", "@-", "--header",
            "Expect: 100-continue", world.url + "/count",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        answer, _ = await upload.communicate(bytes(2 * MEBIBYTE))
        assert (upload.returncode, answer) == (0, str(2 * MEBIBYTE).encode())


@pytest.mark.skipif(WRK is None, reason="wrk is not installed")
async def test_wrk_gets_no_error_at_full_load() -> None:
    assert WRK is not None
    async with agents_running(2) as agents, gateway_of(agents) as world:
        wrk = await asyncio.create_subprocess_exec(
            WRK, "--threads", "1", "--connections", "16", "--duration", "1s", world.url + "/",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        page = (await wrk.communicate())[0].decode()
        assert "Requests/sec" in page
        assert "Non-2xx" not in page
        assert "Socket errors" not in page
        assert min(len(agent.done) for agent in agents) > 10
        # wrk leaves without waiting for its last answers
        await eventually(lambda: sum(each.active for each in world.route.pool.backends) == 0)


async def test_load_report_sets_the_capacity_and_stays_inside() -> None:
    report = "TEXT application_utilization=0.5,named_metrics.agent_capacity=1"
    async with agents_running(1, load_report=report) as [agent], gateway_of([agent]) as world:
        async with world.client.get(world.url + "/") as answer:
            assert "Endpoint-Load-Metrics" not in answer.headers
        assert [each.capacity for each in world.route.pool.backends] == [1]


async def test_agent_that_says_it_is_leaving_gets_nothing_new() -> None:
    async with agents_running(2) as agents, gateway_of(agents, rule="round-robin") as world:
        agents[0].load_report = "TEXT named_metrics.agent_capacity=0"
        told = [await world.agent_of() for _ in range(6)]
        assert told.count("agent-0") == 1
