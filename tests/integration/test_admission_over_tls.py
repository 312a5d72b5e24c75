"""The linter's answer over TLS, as the API server asks for it."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agentscaler.clock import SystemClock
from agentscaler.errors import UsageError
from agentscaler.handlers import admission
from agentscaler.handlers.admission import Desk
from tests.bed.certificates import Authority
from tests.fakes.clocks import HandClock
from tests.fakes.connected import until
from tests.unit.handlers.test_admission_answers import nothing, policy


def certify(folder: Path, name: str) -> ssl.SSLContext:
    """Put a certificate into the folder; give what trusts it and no other."""
    authority = Authority(folder, name, SystemClock().now())
    pair = authority.issue_server("webhook")
    shutil.copy(pair.public, folder / "tls.crt")
    shutil.copy(pair.key, folder / "tls.key")
    return ssl.create_default_context(cafile=str(authority.certificate))


@asynccontextmanager
async def asking(port: int, trusting: ssl.SSLContext) -> AsyncIterator[dict[str, Any]]:
    request = {"uid": "7", "object": policy(minReplicas=5, maxReplicas=2)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://127.0.0.1:{port}/validate", json={"request": request}, ssl=trusting
        ) as answer,
    ):
        yield await answer.json()


async def test_policy_is_judged_over_tls(tmp_path: Path) -> None:
    trusting = certify(tmp_path, "first")
    async with (
        admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()) as port,
        asking(port, trusting) as answer,
    ):
        assert (answer["kind"], answer["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
        assert answer["response"]["uid"] == "7"
        assert not answer["response"]["allowed"]


async def test_renewed_certificate_is_taken_up(tmp_path: Path) -> None:
    trusting = certify(tmp_path, "first")
    clock = HandClock()
    async with admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, clock) as port:
        key = (tmp_path / "tls.key").read_bytes()
        certify(tmp_path, "second")
        (tmp_path / "tls.key").write_bytes(key)  # half renewed
        began = clock.seconds
        await until(lambda: clock.seconds > began + 300)
        async with asking(port, trusting) as answer:
            assert answer["response"]["uid"] == "7"
        trusting = certify(tmp_path, "third")
        began = clock.seconds
        await until(lambda: clock.seconds > began + 300)
        async with asking(port, trusting) as answer:
            assert answer["response"]["uid"] == "7"


async def test_missing_certificate_and_taken_port_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no certificate in"):
        async with admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()):
            pass
    certify(tmp_path, "first")
    async with admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()) as port:
        with pytest.raises(UsageError, match="cannot listen on"):
            async with admission.serving(Desk("127.0.0.1", port, tmp_path), nothing, HandClock()):
                pass


@asynccontextmanager
async def unfinished(port: int, trusting: ssl.SSLContext, number: int) -> AsyncIterator[list[Any]]:
    """Hold requests whose bodies do not end; give where their answers would come."""
    head = "POST /validate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"
    held = [await asyncio.open_connection("127.0.0.1", port, ssl=trusting) for _ in range(number)]
    for _, writer in held:
        writer.write(head.encode())
        await writer.drain()
    try:
        yield [reader for reader, _ in held]
    finally:
        for _, writer in held:
            writer.transport.abort()


async def test_requests_that_do_not_end_keep_no_other_from_an_answer(tmp_path: Path) -> None:
    trusting = certify(tmp_path, "first")
    async with (
        asyncio.timeout(20),
        admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()) as port,
        unfinished(port, trusting, 8),
        asking(port, trusting) as answer,
    ):
        assert answer["response"]["uid"] == "7"


async def test_request_that_does_not_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_READ_SECONDS", 0.05)
    trusting = certify(tmp_path, "first")
    async with (
        asyncio.timeout(20),
        admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()) as port,
        unfinished(port, trusting, 1) as (reader,),
    ):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")


async def test_of_too_many_requests_that_do_not_end_the_oldest_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_READ_AT_ONCE", 2)
    monkeypatch.setattr(admission, "_READ_SECONDS", 3600.0)
    trusting = certify(tmp_path, "first")
    async with (
        asyncio.timeout(20),
        admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()) as port,
        unfinished(port, trusting, 3) as readers,
        asking(port, trusting) as answer,
    ):
        assert answer["response"]["uid"] == "7"
        answers = [asyncio.create_task(reader.readline()) for reader in readers]
        done, pending = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert {(await each).split()[1] for each in done} == {b"408"}
        assert pending
        for each in pending:
            each.cancel()


async def test_more_policies_at_once_than_are_judged_are_left_to_the_failure_policy(
    tmp_path: Path,
) -> None:
    trusting = certify(tmp_path, "first")
    chain = "+".join(["a"] * 290)  # as long as is still parsed
    slow = [{"name": f"m{each}", "query": chain, "target": {"value": "1"}} for each in range(20)]
    request = {"uid": "7", "object": policy(metrics=slow)}
    async with (
        admission.serving(Desk("127.0.0.1", 0, tmp_path), nothing, HandClock()) as port,
        aiohttp.ClientSession() as session,
    ):

        async def status() -> int:
            url = f"https://127.0.0.1:{port}/validate"
            async with session.post(url, json={"request": request}, ssl=trusting) as answer:
                return answer.status

        told = await asyncio.gather(*(status() for _ in range(30)))
    assert set(told) == {200, 503}
    assert told.count(200) >= 8
