"""Which metrics servers there are, and as whom each may be asked.

A policy may name a server of its own only if the operator allows it, and the operator's credentials
never go to any server but its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple, TypeAlias

from agentscaler.clock import Clock
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.asks import Server
from agentscaler.observe.credentials import ANONYMOUS, Credentials
from agentscaler.observe.expressions import WINDOW
from agentscaler.observe.prometheus import WORKERS, Prometheus
from agentscaler.observe.tenancy import CONFINED, Tenancy

SecretKey: TypeAlias = tuple[str, str]
"""Namespace and name of a Secret."""

NO_SECRETS: Final[Mapping[SecretKey, Credentials]] = {}


class Group(NamedTuple):
    """Who asks which address, empty for the operator's own, and whether by a Secret."""

    address: str
    has_secret: bool


OWN: Final = Group("", has_secret=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the operator reads metrics.

    `address` and `credentials` are those of its own server; `allowed` are the further addresses
    that policies may name. `deadline` is the longest a pass may take, `tenancy` says whose series
    the queries of policies see.
    """

    address: str
    credentials: Credentials = ANONYMOUS
    allowed: frozenset[str] = frozenset()
    deadline: timedelta = timedelta(seconds=10)
    window: timedelta = WINDOW
    tenancy: Tenancy = CONFINED


class Sources:
    """The servers that may be asked, and as whom."""

    def __init__(self, settings: Settings, clock: Clock, workers: int = WORKERS) -> None:
        self._settings = settings
        self._clock = clock
        self._workers = workers
        self._own = settings.address.rstrip("/")
        self._allowed = {address.rstrip("/") for address in settings.allowed} | {self._own}
        self._opened: dict[str, Prometheus] = {}

    def group(self, server: Server) -> Group:
        """Tell with whom a server is asked, in one stretch.

        Where nobody may be asked there is nothing to wait for, as with the operator's own server.
        """
        address = server.address or self._own
        is_own = address == self._own or address not in self._allowed
        return Group("" if is_own else address, server.secret is not None)

    def find(
        self, server: Server, secrets: Mapping[SecretKey, Credentials]
    ) -> tuple[Prometheus, Credentials] | Missing:
        """Give the server and the credentials to ask it with, or say why it is not asked."""
        address = server.address or self._own
        if address not in self._allowed:
            said = f"{address} is not on the operator's list of allowed addresses"
            return Missing(Why.NOT_ALLOWED, said)
        credentials = self._credentials_for(server, secrets)
        if credentials is None:
            secret = "/".join(server.secret or ())
            said = f"the Secret {secret} is missing or holds no usable credentials"
            return Missing(Why.NO_CREDENTIALS, said)
        if address not in self._opened:
            self._opened[address] = Prometheus(
                address, self._clock, workers=self._workers, guarded=address != self._own
            )
        return self._opened[address], credentials

    def _credentials_for(
        self, server: Server, secrets: Mapping[SecretKey, Credentials]
    ) -> Credentials | None:
        if server.secret is not None:
            return secrets.get(server.secret)
        # The operator's own credentials are for its own server alone.
        return self._settings.credentials if server.address in {None, self._own} else ANONYMOUS

    def opened(self) -> Iterable[Prometheus]:
        """Give the servers that were asked so far."""
        return self._opened.values()

    def close(self) -> None:
        """End all connections."""
        for prometheus in self._opened.values():
            prometheus.close()
        self._opened.clear()
