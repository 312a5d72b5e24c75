"""The client against every way in which an API server may fail."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentscaler.act.client import Api, Limits, connect
from agentscaler.act.places import SECRETS, Place, Resource
from agentscaler.errors import (
    ClusterError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    LeadershipLostError,
    NotFoundError,
)
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.connected import HurriedClock, connected, until

SECRET = SECRETS.at("agents", "keys")
OLD, NEW = "old-credential", "new-credential"
BODY = {"metadata": {"namespace": "agents", "name": "keys"}, "data": {}}


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[FakeApiServer, Api]]:
    async with connected(tmp_path) as (server, api):
        server.objects.put("secrets", BODY)
        yield server, api


Pair = tuple[FakeApiServer, Api]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, ExpiredError),
        (422, ClusterError),
        (500, ClusterError),
        (503, ClusterError),
    ],
)
async def test_refusal_is_said_in_our_words_with_the_servers_message(
    pair: Pair, status: int, error: type[ClusterError]
) -> None:
    server, api = pair
    server.faults.append(Fault("get", "secrets", status=status, message="secrets: not today"))
    with pytest.raises(ClusterError, match=r"^secrets: not today$") as caught:
        await api.get(SECRET)
    assert type(caught.value) is error
    assert server.count("get", "secrets") == 1


async def test_refusal_without_a_status_shows_what_came(pair: Pair) -> None:
    _, api = pair
    with pytest.raises(NotFoundError, match="HTTP 404: 404 page not found"):
        await api.get(Place("/apis/nowhere.dev/v1/things/x", "things"))


@pytest.mark.parametrize("status", [429, 503])
async def test_server_that_asks_for_a_moment_is_given_it(pair: Pair, status: int) -> None:
    server, api = pair
    server.faults.append(Fault("get", "secrets", times=2, status=status, retry_after="1"))
    assert (await api.get(SECRET))["metadata"]["name"] == "keys"
    assert api.requests["get", "secrets"] == 3


@pytest.mark.parametrize(("wait", "tries"), [("1", 3), ("60", 1), ("soon", 1)])
async def test_server_that_stays_busy_is_left_alone(pair: Pair, wait: str, tries: int) -> None:
    server, api = pair
    server.faults.append(Fault("get", "secrets", times=-1, status=429, retry_after=wait))
    with pytest.raises(ClusterError, match="broken on purpose"):
        await api.get(SECRET)
    assert server.count("get", "secrets") == tries


async def test_server_that_hangs_is_not_waited_for(pair: Pair) -> None:
    server, api = pair
    server.faults.append(Fault("get", "secrets", hang=True))
    with pytest.raises(ClusterError, match="get secrets: the API server did not answer in time"):
        await api.get(SECRET)
    assert (await api.get(SECRET))["metadata"]["name"] == "keys"


async def test_server_that_is_gone_is_told_and_found_again(pair: Pair) -> None:
    server, api = pair
    await server.stop()
    with pytest.raises(ClusterError, match="get secrets: "):
        await api.get(SECRET)
    await server.start()
    assert (await api.get(SECRET))["metadata"]["name"] == "keys"


async def test_answer_of_something_else_is_told(pair: Pair) -> None:
    server, api = pair
    server.faults.append(Fault("get", "secrets", text="<html>log in here</html>"))
    with pytest.raises(ClusterError, match="not an answer of an API server"):
        await api.get(SECRET)


async def test_collection_is_read_in_pages(pair: Pair) -> None:
    server, api = pair
    for number in range(1200):
        server.objects.put("events", {"metadata": {"namespace": "agents", "name": f"e{number}"}})
    pages = [page async for page in api.list_pages(Resource("v1", "events").at())]
    assert [len(page["items"]) for page in pages] == [500, 500, 200]
    assert len({item["metadata"]["name"] for page in pages for item in page["items"]}) == 1200


async def test_list_that_took_too_long_is_told(pair: Pair) -> None:
    server, api = pair
    for number in range(600):
        server.objects.put("events", {"metadata": {"namespace": "agents", "name": f"e{number}"}})
    pages = api.list_pages(Resource("v1", "events").at())
    await anext(pages)
    server.objects.forget()
    with pytest.raises(ExpiredError):
        await anext(pages)


async def test_writes_carry_our_name_and_form(pair: Pair) -> None:
    server, api = pair
    await api.patch(SECRET, {"data": {"a": "eA=="}})
    assert server.queries[-1] == {"fieldManager": "agentscaler"}
    assert server.headers[-1]["Content-Type"] == "application/merge-patch+json"
    assert server.headers[-1]["User-Agent"].startswith("agentscaler/")
    await api.apply(SECRET, {"data": {"a": "eA=="}})
    assert server.queries[-1] == {"fieldManager": "agentscaler", "force": "true"}
    assert server.headers[-1]["Content-Type"] == "application/apply-patch+yaml"
    await api.update(SECRET, BODY)
    assert server.headers[-1]["Content-Type"] == "application/json"
    await api.get(SECRET)
    assert server.queries[-1] == {}


async def test_merge_patch_can_remove_a_field(pair: Pair) -> None:
    server, api = pair
    await api.patch(SECRET, {"data": {"a": "eA==", "b": "eQ=="}})
    await api.patch(SECRET, {"data": {"a": None}})
    assert server.objects.get("secrets", "agents", "keys")["data"] == {"b": "eQ=="}


async def test_write_is_held_back_when_leadership_is_lost_while_it_waited(tmp_path: Path) -> None:
    leading = True
    limits = Limits(per_second=0.02, burst=1)  # half a second by the hurried clock
    async with connected(tmp_path, limits=limits, may_write=lambda: leading) as (server, api):
        await api.create(SECRETS.at("agents"), BODY)
        waiting = asyncio.create_task(api.patch(SECRET, {"data": {"a": "eA=="}}))
        await asyncio.sleep(0)
        leading = False
        with pytest.raises(LeadershipLostError):
            await waiting
        assert server.count("patch", "secrets") == api.requests["patch", "secrets"] == 0
        assert (await api.get(SECRET))["data"] == {}


async def test_no_more_requests_are_under_way_than_allowed(tmp_path: Path) -> None:
    limits = Limits(concurrency=3, per_second=1000, burst=1000, timeout_seconds=5)
    async with connected(tmp_path, limits=limits) as (server, api):
        server.objects.put("secrets", BODY)
        server.faults.append(Fault("get", "secrets", times=3, hang=True, text="{}"))
        asking = [asyncio.create_task(api.get(SECRET)) for _ in range(10)]
        await until(lambda: server.count("get", "secrets") == 3)
        await asyncio.sleep(0.1)
        assert server.count("get", "secrets") == 3
        server.cut()
        await asyncio.gather(*asking)
        assert server.count("get", "secrets") == 10


async def test_new_token_is_read_when_the_old_one_is_refused(tmp_path: Path) -> None:
    async with connected(tmp_path, token=OLD) as (server, api):
        server.objects.put("secrets", BODY)
        server.token = NEW
        server.kubeconfig(tmp_path, token=NEW)
        await asyncio.gather(*(api.get(SECRET) for _ in range(5)))
        assert api.requests["get", "secrets"] == 10
        login = await api.login()
        assert (login.scheme, login.token) == ("Bearer", NEW)
        assert NEW not in repr(login)


async def test_refused_credentials_are_told(tmp_path: Path) -> None:
    async with connected(tmp_path, token=OLD) as (server, api):
        server.token = NEW
        with pytest.raises(ClusterError, match="Unauthorized"):
            await api.get(SECRET)
        assert server.count("get", "secrets") == 3


async def test_refused_credentials_are_told_when_no_others_can_be_read(tmp_path: Path) -> None:
    async with connected(tmp_path, token=OLD) as (server, api):
        server.token = NEW
        (tmp_path / "kubeconfig").unlink()
        with pytest.raises(ClusterError, match="Unauthorized"):
            await api.get(SECRET)
        assert server.count("get", "secrets") == 1


async def test_two_connections_do_not_wait_for_each_other(pair: Pair, tmp_path: Path) -> None:
    server, busy = pair
    slow = Limits(concurrency=1, timeout_seconds=5)
    queued = await connect(server.kubeconfig(tmp_path), clock=HurriedClock(), limits=slow)
    try:
        server.faults.append(Fault("get", "secrets", hang=True, text="{}"))
        stuck = asyncio.create_task(queued.get(SECRET))
        await until(lambda: server.count("get", "secrets") == 1)
        assert (await busy.get(SECRET))["metadata"]["name"] == "keys"
        server.cut()
        await stuck
    finally:
        await queued.close()


async def test_watch_that_is_refused_is_told(pair: Pair) -> None:
    server, api = pair
    server.faults.append(Fault("watch", "secrets", status=403))
    with pytest.raises(ForbiddenError):
        async with api.watch(SECRETS.at(), "1"):
            pass


async def test_watch_that_says_nothing_is_given_up(pair: Pair) -> None:
    server, api = pair
    server.frozen = True
    async with api.watch(SECRETS.at(), "1") as events:
        with pytest.raises(ClusterError, match="watch secrets: the API server did not answer"):
            await anext(events)
