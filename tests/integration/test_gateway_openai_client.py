"""The public `openai` client, unchanged, through the gateway: its stream arrives as it is made."""

import pytest
from openai import AsyncOpenAI, InternalServerError

from tests.integration.gateway_world import agents_running, gateway_of


async def test_openai_client_streams_token_by_token() -> None:
    async with agents_running(1) as [agent], gateway_of([agent]) as world:
        async with AsyncOpenAI(base_url=world.url + "/v1", api_key="any") as client:
            stream = await client.chat.completions.create(
                model="stub", messages=[{"role": "user", "content": "how?"}], stream=True
            )
            words = []
            async for event in stream:
                words.append(event.choices[0].delta.content)
                agent.go_on.set()  # the rest is sent only when the first token has arrived
        assert words == ["token", " by", " token"]


async def test_openai_client_reads_a_refusal_and_when_to_come_back() -> None:
    async with gateway_of(["127.0.0.1:1"], queue={"deadline": "100ms"}) as world:
        async with AsyncOpenAI(base_url=world.url + "/v1", api_key="x", max_retries=0) as client:
            with pytest.raises(InternalServerError) as refused:
                await client.models.list()
        assert refused.value.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) >= 1
