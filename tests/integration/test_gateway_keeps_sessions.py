"""Sessions and keys over real HTTP: the same home in every gateway, and after a restart."""

from typing import Any

from tests.integration.gateway_world import World, agents_running, gateway_of

SESSIONS = [f"session-{number}" for number in range(40)]


async def homes(world: World, header: str = "X-Session-Id") -> dict[str, str]:
    return {name: await world.agent_of(headers={header: name}) for name in SESSIONS}


async def test_session_has_the_same_home_in_every_gateway_and_after_a_restart() -> None:
    async with agents_running(4) as agents:
        async with (
            gateway_of(agents, rule="affinity") as one,
            gateway_of(agents[::-1], rule="affinity") as two,
        ):
            before = await homes(one)
            assert await homes(two) == before
        async with gateway_of(agents, rule="affinity") as restarted:
            assert await homes(restarted) == before
    assert len(set(before.values())) == 4


async def test_sessions_of_an_agent_that_goes_move_and_no_others() -> None:
    async with agents_running(4) as agents:
        async with gateway_of(agents, rule="affinity") as world:
            before = await homes(world)
        async with gateway_of(agents[1:], rule="affinity") as world:
            after = await homes(world)
    moved = {name for name in SESSIONS if before[name] != after[name]}
    assert moved == {name for name in SESSIONS if before[name] == "agent-0"}


async def test_session_of_a_full_agent_is_served_by_another_meanwhile() -> None:
    async with (
        agents_running(2) as agents,
        gateway_of(agents, rule="affinity", capacity=1) as world,
    ):
        session = {"X-Session-Id": "busy"}
        home = await world.agent_of(headers=session)
        async with world.client.get(world.url + "/tokens", headers=session) as held:
            await held.content.readuntil(b"\n\n")
            assert await world.agent_of(headers=session) != home
            for agent in agents:
                agent.go_on.set()
            await held.read()
        assert await world.agent_of(headers=session) == home


async def test_key_may_be_a_cookie_or_the_body() -> None:
    async with agents_running(4) as agents:
        rule: dict[str, Any] = {"name": "affinity", "key": {"cookie": "sid"}}
        async with gateway_of(agents, rule=rule) as world:
            cookies = [{"Cookie": f"sid={name}"} for name in SESSIONS]
            once = [await world.agent_of(headers=each) for each in cookies]
            assert [await world.agent_of(headers=each) for each in cookies] == once
            assert len(set(once)) == 4
        rule = {"name": "sharded", "key": {"body": True}, "shards": 64}
        async with gateway_of(agents, rule=rule) as world:
            for number in range(10):
                told = set()
                for body in (f'{{"a":1,"n":{number}}}', f'{{ "n": {number}, "a": 1 }}'):
                    async with world.client.post(world.url + "/count", data=body) as answer:
                        assert await answer.text() == str(len(body))
                        told.add(answer.headers["X-Agent"])
                assert len(told) == 1


async def test_popular_key_is_spread_by_bounded_loads() -> None:
    async with agents_running(3) as agents:
        rule = {"name": "hash", "loadFactor": 1.0}
        async with gateway_of(agents, rule=rule) as world:
            session = {"X-Session-Id": "popular"}
            open_answers = []
            for _ in range(6):
                answer = await world.client.get(world.url + "/tokens", headers=session)
                open_answers.append(answer)
            assert [len(agent.seen) for agent in agents] == [2, 2, 2]
            for answer in open_answers:
                answer.close()
