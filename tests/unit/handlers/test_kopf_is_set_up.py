"""How kopf is set up, what it is told of the login, and what it tells of policies."""

from itertools import islice
from typing import Any

import kopf
import pytest

from agentscaler import conventions
from agentscaler.act.login import Login
from agentscaler.handlers import lifecycle, policies
from agentscaler.handlers.lifecycle import EndlessBackoff
from agentscaler.handlers.storages import NoDiffBase, NoProgress

LOGIN = Login(
    server="https://cluster.test:6443",
    ca_path="/ca.pem",
    scheme="Bearer",
    token="sesame",  # noqa: S106 - of no cluster
    certificate_path="/mine.pem",
    private_key_path="/mine.key",
    insecure=True,
    proxy_url="http://proxy.test:3128",
)


def test_pauses_grow_up_to_half_a_minute_and_never_end() -> None:
    pauses = list(islice(EndlessBackoff(), 1000))
    assert 0.25 <= pauses[0] <= 0.75
    assert all(15 <= pause <= 45 for pause in pauses[7:])
    assert all(pause <= 45 for pause in pauses)


def test_each_use_begins_with_short_pauses() -> None:
    backoff = EndlessBackoff()
    assert len(list(islice(backoff, 20))) == 20
    assert next(iter(backoff)) <= 0.75


def test_pauses_of_many_processes_differ() -> None:
    assert len({next(iter(EndlessBackoff())) for _ in range(50)}) > 25


def test_kopf_leaves_leading_events_and_scanning_to_us() -> None:
    made = lifecycle.settings()
    assert made.peering.standalone
    assert made.scanning.disabled
    assert not made.posting.enabled


def test_kopf_never_gives_up_and_notices_a_dead_watch() -> None:
    made = lifecycle.settings()
    assert isinstance(made.networking.error_backoffs, EndlessBackoff)
    assert made.watching.server_timeout is not None
    assert made.watching.client_timeout is not None
    assert made.watching.client_timeout > made.watching.server_timeout


def test_kopf_lets_go_of_an_object_soon_after_it_was_told_of() -> None:
    assert lifecycle.settings().queueing.idle_timeout < 1


def test_kopf_keeps_nothing_in_the_policies() -> None:
    made = lifecycle.settings()
    diffs, progress = made.persistence.diffbase_storage, made.persistence.progress_storage
    essence = kopf.BodyEssence({"spec": {}})
    assert isinstance(diffs, NoDiffBase)
    assert isinstance(progress, NoProgress)
    assert (diffs.build(body={}), diffs.fetch(body={})) == ({}, None)
    assert progress.clear(essence=essence) is essence


def test_storages_write_nothing() -> None:
    patch = kopf.Patch()
    body: Any = {"metadata": {}}
    NoDiffBase().store(body=body, patch=patch, essence=kopf.BodyEssence({}))
    progress = NoProgress()
    progress.store(key="x", record={}, body=body, patch=patch)
    progress.touch(body=body, patch=patch, value="x")
    progress.purge(key="x", body=body, patch=patch)
    progress.fetch(key="x", body=body)
    assert not patch


def test_login_is_said_in_the_words_of_kopf() -> None:
    said = lifecycle.connection(LOGIN)
    assert (said.server, said.scheme, said.token) == (LOGIN.server, "Bearer", "sesame")
    assert (said.ca_path, said.insecure, said.proxy_url) == ("/ca.pem", True, LOGIN.proxy_url)
    assert (said.certificate_path, said.private_key_path) == ("/mine.pem", "/mine.key")


async def test_kopf_asks_for_the_login_each_time_it_needs_one() -> None:
    handlers, asked = kopf.OperatorRegistry(), list[Login]()

    async def source() -> Login:
        asked.append(LOGIN)
        return LOGIN

    lifecycle.add_login(handlers, source)
    (handler,) = handlers._activities._handlers
    log_in: Any = handler.fn
    for _ in range(2):
        assert (await log_in(logger=None)).token == "sesame"  # noqa: S105 - as above
    assert len(asked) == 2


@pytest.mark.parametrize("change", [None, "ADDED", "DELETED"])
async def test_what_kopf_says_of_a_policy_is_passed_on_as_it_is(change: str | None) -> None:
    handlers, told = kopf.OperatorRegistry(), list[Any]()
    policies.add_policies(handlers, lambda kind, body: told.append((kind, body)))
    (handler,) = handlers._watching._handlers
    selector = handler.selector
    assert selector is not None
    assert (selector.group, selector.version) == (conventions.GROUP, conventions.VERSION)
    assert selector.any_name == conventions.PLURAL
    note: Any = handler.fn
    await note(event={"type": change, "object": {"metadata": {}}}, logger=None)
    assert told == [(change, {"metadata": {}})]
