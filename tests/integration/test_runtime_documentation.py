"""The documentation's examples run, in the order in which a reader meets them."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

DOCUMENT = Path(__file__).parents[2] / "docs" / "runtime.md"
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run all examples as one program; give what it defines."""
    monkeypatch.setenv("POD_NAME", "documented-0")
    defined: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(compile(example, str(DOCUMENT), "exec"), defined)  # noqa: S102 - our own text
    return defined


def test_first_example_has_five_lines() -> None:
    assert len([line for line in EXAMPLES[0].splitlines() if line]) <= 5


async def test_service_of_the_examples_serves_sessions_and_shows_its_metrics(
    names: dict[str, Any],
) -> None:
    transport = httpx.ASGITransport(app=names["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        asked = [
            await client.post("/ask", headers={"x-session-id": "ada"}, json={}) for _ in range(2)
        ]
        nameless = await client.post("/ask", json={})
        ready = await client.get("/readyz")
        page = await client.get("/metrics")
    assert [answer.json() for answer in asked] == [{"turns": 1}, {"turns": 2}]
    assert nameless.status_code == 400
    assert ready.json()["capacity"] == 4
    assert "agent_requests_received_total{" in page.text


async def test_resources_of_the_examples_work(names: dict[str, Any]) -> None:
    async with names["resources"] as resources:
        assert await resources.batch_request("embed", "four") == 4

        async def note(connection: list[str]) -> int:
            connection.append("x")
            return len(connection)

        assert await resources.with_pooled_connection("database", note) == 1


async def test_profiler_and_meter_of_the_examples_work(names: dict[str, Any]) -> None:
    await names["plan"]()
    assert names["profiler"].stats()[0].name == "plan"
    names["meter"].count("ok")
    labels = {"agent": "documented", "pod": "documented-0", "namespace": "default"}
    counted = REGISTRY.get_sample_value(
        "agent_llm_responses_total", labels | {"provider": "openai", "outcome": "ok"}
    )
    assert counted == 1
