"""How kopf is set up: event-only, standalone, patient with a failing API server, and silent."""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import kopf

from agentscaler.act.login import Login
from agentscaler.handlers.storages import NoDiffBase, NoProgress

LoginSource = Callable[[], Awaitable[Login]]

_LONGEST_PAUSE_SECONDS = 30.0


class EndlessBackoff:
    """Pauses between tries against a failing API server: growing, jittered, without end.

    kopf gives up, and ends the process, when an iterable of pauses is exhausted.
    """

    def __iter__(self) -> Iterator[float]:
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1.5)  # noqa: S311  (spreads load, hides nothing)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def settings() -> kopf.OperatorSettings:
    """Give kopf's settings for this operator."""
    made = kopf.OperatorSettings()
    made.peering.standalone = True  # leadership is ours, by a Lease
    made.posting.enabled = False  # Events are ours
    made.scanning.disabled = True  # no rights on CRDs and namespaces are needed
    made.persistence.diffbase_storage = NoDiffBase()
    made.persistence.progress_storage = NoProgress()
    made.watching.chunk_size = 500  # a list of 10,000 policies in pages: a third less memory
    # For so long an object is held after it was told of. Held for the usual 5 s, all of a list are
    # there at once, between what is kept of them: 17 KB a policy that are never given back.
    made.queueing.idle_timeout = 0.1
    made.watching.server_timeout = 300
    made.watching.client_timeout = 330
    made.watching.inactivity_timeout = 70  # a bookmark comes every minute: without, it is dead
    made.networking.connect_timeout = 10
    made.networking.request_timeout = 30
    made.networking.error_backoffs = EndlessBackoff()
    return made


def add_login(handlers: kopf.OperatorRegistry, source: LoginSource) -> None:
    """Let kopf log in with the same credentials as our own client, and again when refused."""

    @kopf.on.login(registry=handlers)
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return connection(await source())


def connection(login: Login) -> kopf.ConnectionInfo:
    """Say a login in kopf's words."""
    return kopf.ConnectionInfo(
        server=login.server,
        ca_path=login.ca_path,
        insecure=login.insecure,
        scheme=login.scheme,
        token=login.token,
        certificate_path=login.certificate_path,
        private_key_path=login.private_key_path,
        proxy_url=login.proxy_url,
    )
