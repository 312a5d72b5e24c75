"""Credentials go to their server and nowhere else, even if that server says them back."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentscaler.observe.credentials import Credentials
from agentscaler.observe.sources import Settings as SourceSettings
from agentscaler.report import logs
from tests.fakes.connected import until
from tests.fakes.faulty_prometheus import Request, serving
from tests.fakes.operated import Scene, staged

OWN, TOKEN, PASSWORD = "0perators-0wn", "t0ken-0f-a-tenant", "passw0rd-0f-a-tenant"
BASIC = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
SECRETS = (OWN, TOKEN, PASSWORD, BASIC, base64.b64encode(TOKEN.encode()).decode())


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Give all that is logged, from the lowest level on."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    logs.configure(level="DEBUG", stream=stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)


def say_back(request: Request) -> None:
    """Refuse, and repeat what came as the proof of who asks."""
    sent = request.headers.get("Authorization", "")
    request.refuse(400, "bad_data", f"nobody knows {sent}")


def keep(scene: Scene, name: str, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"namespace": "agents", "name": name}
    scene.server.objects.put("secrets", {"metadata": metadata, "data": data})


async def test_no_secret_is_in_a_log_an_event_a_status_or_a_metric(
    tmp_path: Path, logged: io.StringIO
) -> None:
    async with staged(tmp_path) as scene:
        with serving(say_back) as server:
            keep(scene, "bearer", token=TOKEN)
            keep(scene, "basic", username="reader", password=PASSWORD)
            keep(scene, "broken", token=TOKEN, username="reader")
            names = ("own", "bearer", "basic", "broken")
            for name in names:
                scene.agent(name)
                ref = {} if name == "own" else {"authSecretRef": {"name": name}}
                scene.policy(name, prometheus=ref)
            source = SourceSettings(server.address, credentials=Credentials(token=OWN))
            running = await scene.lead(source=source)
            await until(lambda: len(scene.events("MetricsUnavailable")) == len(names))
            sent = {headers.get("Authorization") for _, headers in server.requests}
            assert sent == {f"Bearer {OWN}", f"Bearer {TOKEN}", f"Basic {BASIC}"}
            everything = [json.dumps(scene.status(name)) for name in names]
            everything += [json.dumps(each) for each in scene.server.objects.all("events").values()]
            everything += [part.decode() for part in running.operator._telemetry.page()]
            await running.stop()
    everything.append(logged.getvalue())
    assert any("nobody knows Bearer [credentials]" in text for text in everything)
    assert "secret not usable" in logged.getvalue()
    for secret in SECRETS:
        assert not [text for text in everything if secret in text]


async def test_secret_of_another_namespace_is_never_read(tmp_path: Path) -> None:
    async with staged(tmp_path) as scene:
        metadata = {"namespace": "rivals", "name": "bearer"}
        data = {"token": base64.b64encode(TOKEN.encode()).decode()}
        scene.server.objects.put("secrets", {"metadata": metadata, "data": data})
        scene.agent()
        scene.policy(prometheus={"authSecretRef": {"name": "bearer"}})
        running = await scene.lead()
        await until(lambda: len(scene.events("MetricsUnavailable")) == 1)
        await running.stop()
        assert "Secret agents/bearer is missing" in json.dumps(scene.status())
