"""The credentials that policies name, read from their own namespaces and kept for a minute."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from agentscaler.act.client import Api
from agentscaler.act.credentials import read_secret
from agentscaler.api.policy import Policy
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError, ForbiddenError, NotFoundError
from agentscaler.observe.credentials import Credentials, parse_credentials
from agentscaler.observe.sources import SecretKey
from agentscaler.report import logs

_KEPT_SECONDS: Final = 60.0
_UNUSED_SECONDS: Final = 3600.0  # whoever looks more seldom reads it anew
_LOG: Final = logs.logger("agentscaler.secrets")


class _Kept(NamedTuple):
    credentials: Credentials | None
    at: float


class Keyring:
    """Reads Secrets; one that cannot be read or used has no credentials."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._kept: dict[SecretKey, _Kept] = {}
        self._wanted_at: dict[SecretKey, float] = {}

    @property
    def known(self) -> Mapping[SecretKey, Credentials]:
        """Give the credentials as they were last read."""
        return {key: kept.credentials for key, kept in self._kept.items() if kept.credentials}

    async def read(self, policies: Iterable[Policy]) -> Mapping[SecretKey, Credentials]:
        """Read the Secrets that these policies name, unless they were read within the minute."""
        now = self._clock.monotonic()
        wanted = {key for policy in policies if (key := _key(policy))}
        self._forget_unused(wanted, now)
        stale = [key for key in wanted if self._is_stale(key, now)]
        await asyncio.gather(*(self._renew(key, now) for key in stale))
        return self.known

    def _forget_unused(self, wanted: Iterable[SecretKey], now: float) -> None:
        """Keep no Secret in memory that no policy names any more."""
        self._wanted_at.update(dict.fromkeys(wanted, now))
        unused = [key for key, at in self._wanted_at.items() if now - at > _UNUSED_SECONDS]
        for key in unused:
            del self._wanted_at[key]
            self._kept.pop(key, None)

    def _is_stale(self, key: SecretKey, now: float) -> bool:
        kept = self._kept.get(key)
        return kept is None or now - kept.at > _KEPT_SECONDS

    async def _renew(self, key: SecretKey, now: float) -> None:
        """Read a Secret anew; while the API server fails, what was last read counts on."""
        namespace, name = key
        credentials = None
        try:
            credentials = parse_credentials(await read_secret(self._api, namespace, name))
        except (NotFoundError, ForbiddenError, ValueError) as exc:
            _LOG.warning("secret not usable", secret=f"{namespace}/{name}", error=str(exc))
        except ClusterError as exc:
            _LOG.warning("secret not read", secret=f"{namespace}/{name}", error=str(exc))
            return
        except Exception as exc:  # noqa: BLE001 - a Secret of one namespace must not stop the others
            _LOG.error("secret failed", secret=f"{namespace}/{name}", exc_info=exc)
        self._kept[key] = _Kept(credentials, now)


def _key(policy: Policy) -> SecretKey | None:
    reference = policy.spec.prometheus.auth_secret_ref
    return (policy.namespace, reference.name) if reference else None
