"""Who waits, who is tried again, and that nothing is lost or doubled while agents come and go."""

import asyncio
import re
from collections import Counter

import aiohttp
import pytest

from agentscaler.gateway.backends import Endpoint
from tests.integration.gateway_world import Agent, World, agents_running, eventually, gateway_of


async def test_requests_beyond_the_capacity_wait_and_are_served_in_order() -> None:
    async with agents_running(1) as [agent], gateway_of([agent], capacity=1) as world:
        first = asyncio.create_task(world.get("/held", headers={"X-Id": "first"}))
        await eventually(lambda: len(agent.seen) == 1)
        rest = []
        for number, priority in enumerate(("0", "0", "5", "nonsense")):
            headers = {"X-Id": str(number), "X-Priority": priority}
            rest.append(asyncio.create_task(world.get("/work", headers=headers)))
            await eventually(lambda: world.route.line.depth == len(rest))
        assert await world.metric("agent_queue_depth", 'agent="research"') == 4
        agent.go_on.set()
        answers = await asyncio.gather(first, *rest)
        assert [status for status, _ in answers] == [200] * 5
        assert agent.done == ["first", "2", "0", "1", "3"]
        assert await world.metric("agent_queue_depth") == 0


async def test_wait_beyond_the_deadline_is_a_503_that_says_when_to_come_back() -> None:
    async with (
        agents_running(1) as [agent],
        gateway_of([agent], capacity=1, queue={"deadline": "200ms", "maxWaiting": 1}) as world,
    ):
        held = asyncio.create_task(world.get("/held"))
        await eventually(lambda: len(agent.seen) == 1)
        waiting = asyncio.create_task(world.client.get(world.url + "/work"))
        await eventually(lambda: world.route.line.depth == 1)
        async with world.client.get(world.url + "/work") as refused:  # the line is full
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) >= 1
        async with await waiting as late:
            assert late.status == 503
            assert int(late.headers["Retry-After"]) >= 1
        agent.go_on.set()
        assert (await held)[0] == 200
        rejected = await world.metric("agentscaler_gateway_requests_total", 'outcome="rejected"')
        assert (rejected, len(agent.seen)) == (2, 1)


async def test_client_that_leaves_the_line_gives_its_place_back() -> None:
    async with agents_running(1) as [agent], gateway_of([agent], capacity=1) as world:
        held = asyncio.create_task(world.get("/held"))
        await eventually(lambda: len(agent.seen) == 1)
        with pytest.raises(TimeoutError):
            await world.get("/work", timeout=aiohttp.ClientTimeout(total=0.2))
        await eventually(lambda: world.route.line.depth == 0)
        agent.go_on.set()
        assert (await held)[0] == 200
        assert len(agent.seen) == 1


async def test_requests_are_held_at_zero_replicas_and_served_when_the_first_is_there() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        world.route.pool.update([])
        asking = [asyncio.create_task(world.get("/")) for _ in range(3)]
        await eventually(lambda: world.route.line.depth == 3)
        assert await world.metric("agent_queue_depth") == 3
        world.route.pool.update([Endpoint(agent.address)])
        assert await asyncio.gather(*asking) == [(200, "agent-0 answers")] * 3


async def test_nothing_sent_is_tried_elsewhere_whatever_the_method() -> None:
    async with agents_running(2) as [dead, alive], gateway_of([dead, alive]) as world:
        await dead.stop()
        for number in range(20):
            async with world.client.post(world.url + "/count", data=b"x" * number) as answer:
                assert (answer.status, await answer.text()) == (200, str(number))
        assert len(alive.seen) == 20


async def test_request_of_a_restarting_agent_waits_for_it() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        await agent.stop()
        asking = asyncio.create_task(world.client.post(world.url + "/count", data=b"four"))
        await eventually(lambda: world.route.line.depth == 1)
        await agent.start(int(agent.address.rpartition(":")[2]))
        async with await asking as answer:
            assert await answer.text() == "4"
        assert await world.metric("agentscaler_gateway_retries_total") >= 1


async def test_agent_that_dies_is_asked_again_only_for_what_may_be_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with agents_running(2) as agents, gateway_of(agents) as world:
        async with world.client.post(world.url + "/dies?key=secret", data=b"x") as answer:
            assert answer.status == 502
        assert re.search(r"POST /dies: 127\.0\.0\.1:\d+ went away", caplog.text)
        assert "secret" not in caplog.text
        assert sum(len(agent.seen) for agent in agents) == 1
        assert (await world.get("/dies"))[0] == 502
        assert sum(len(agent.seen) for agent in agents) == 1 + 4  # twice at each


async def test_upload_does_not_go_over_a_connection_that_is_being_closed() -> None:
    """An agent that closes its kept connection in the very moment of the next request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with gateway_of([f"{host}:{port}"]) as world:
            assert await world.get("/") == (200, "ok")
            async with world.client.put(world.url + "/", data=b"four") as answer:
                assert answer.status == 200


async def test_failing_agent_is_left_out_and_comes_back_after_its_time() -> None:
    async with agents_running(2) as [sick, well]:
        ejection = {"consecutiveErrors": 3, "for": "3s"}
        async with gateway_of([sick, well], rule="round-robin", ejection=ejection) as world:
            for _ in range(6):  # by turns: three for each
                await world.get("/broken")
            healthy = "agentscaler_gateway_backend_healthy"
            assert (
                sum([await world.metric(healthy, agent.address) for agent in (sick, well)]) == 1
            )  # both failed, but half of the fleet stays
            out = sick if await world.metric(healthy, sick.address) == 0 else well
            before = len(out.seen)
            for _ in range(6):
                assert (await world.get("/"))[0] == 200
            assert len(out.seen) == before

            async def is_back() -> bool:
                return await world.metric(healthy, out.address) == 1

            await eventually(is_back)
            for _ in range(4):
                await world.get("/")
            assert len(out.seen) > before


async def test_agent_that_fails_its_checks_gets_nothing_until_it_passes() -> None:
    async with agents_running(2) as [unready, ready]:
        ready.go_on.set()
        checks = {"path": "/ready", "every": "20ms", "failures": 2}
        async with gateway_of([unready, ready], health=checks) as world:
            await eventually(
                lambda: any(not each.passes_checks for each in world.route.pool.backends)
            )
            assert {await world.agent_of() for _ in range(10)} == {ready.name}
            unready.go_on.set()
            await eventually(lambda: all(each.passes_checks for each in world.route.pool.backends))
            ready.go_on.clear()
            await eventually(
                lambda: any(not each.passes_checks for each in world.route.pool.backends)
            )
            assert {await world.agent_of() for _ in range(10)} == {unready.name}


class Load:
    """Clients that ask one after the other until they are told to stop."""

    def __init__(self, world: World, clients: int) -> None:
        self.world = world
        self.statuses: Counter[int] = Counter()
        self.sent: list[str] = []
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(clients)]

    async def _ask(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            name = f"{client}-{number}"
            self.sent.append(name)
            async with self.world.client.post(
                self.world.url + "/work?seconds=0.02", headers={"X-Id": name}, data=b"question"
            ) as answer:
                await answer.read()
                self.statuses[answer.status] += 1

    async def more(self, count: int) -> None:
        """Wait until so many more were answered."""
        until = self.statuses.total() + count
        await eventually(lambda: self.statuses.total() >= until)

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)


def done_by(agents: list[Agent]) -> Counter[str]:
    return Counter(name for agent in agents for name in agent.done)


async def test_rolling_restart_under_load_loses_and_doubles_nothing() -> None:
    async with agents_running(3) as agents:
        everyone = list(agents)
        async with gateway_of(agents, queue={"deadline": "20s"}) as world:
            load = Load(world, clients=12)
            await load.more(20)
            serving = list(agents)
            for old in agents:
                new = Agent(f"{old.name}-new")
                await new.start()
                everyone.append(new)
                serving = [*(each for each in serving if each is not old), new]
                world.route.pool.update([Endpoint(each.address) for each in serving])
                await load.more(40)
                await old.stop()
                await load.more(40)
            await load.stop()
        for agent in everyone:
            await agent.stop()
    assert load.statuses == {200: len(load.sent)}
    assert done_by(everyone) == Counter(load.sent)
    assert all(agent.done for agent in everyone)


async def test_one_to_ten_to_one_under_load_loses_and_doubles_nothing() -> None:
    async with (
        agents_running(10) as agents,
        gateway_of(agents[:1], capacity=2, slowStart="500ms") as world,
    ):
        load = Load(world, clients=12)
        await load.more(20)
        world.route.pool.update([Endpoint(each.address) for each in agents])
        await load.more(400)
        for count in range(9, 0, -1):
            world.route.pool.update([Endpoint(each.address) for each in agents[:count]])
            await load.more(10)
            await agents[count].stop()
        await load.stop()
    assert load.statuses == {200: len(load.sent)}
    assert done_by(agents) == Counter(load.sent)
    assert all(agent.done for agent in agents)


async def test_killed_agents_cost_no_request_that_was_not_theirs() -> None:
    """Agents vanish without a word; what they had begun is a 502 and is not done again."""
    async with agents_running(4) as agents, gateway_of(agents) as world:
        load = Load(world, clients=8)
        await load.more(50)
        begun = len(agents[0].seen) - len(agents[0].done)
        await agents[0].stop()
        await load.more(100)
        await load.stop()
    assert load.statuses[200] + load.statuses[502] == len(load.sent)
    assert load.statuses[502] <= begun + 8
    assert max(done_by(agents).values()) == 1
