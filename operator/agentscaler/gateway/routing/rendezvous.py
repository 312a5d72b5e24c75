"""Every key ranks all backends by a hash of its own (rendezvous, highest random weight).

Stable without a table: when one of N backends goes, its 1/N of the keys move and no others; when
one comes, it takes 1/N. Equal in every replica of the gateway, and after a restart.
"""

from collections.abc import Iterable
from hashlib import sha256
from math import log

from agentscaler.gateway.routing.picking import Picked

_BITS = 52  # with the half below, every value is an exact float strictly between 0 and 1


def score(key: bytes, name: str, weight: float) -> float:
    """Rank `name` for `key`; a backend of twice the weight gets twice the keys.

    The weighted form of Schindelhauer and Schomaker (2005): -w / ln(u).
    """
    digest = sha256(key + b"\0" + name.encode()).digest()
    number = int.from_bytes(digest[:8], "big") >> (64 - _BITS)
    return -weight / log((number + 0.5) / 2**_BITS)


def ranked(key: bytes, backends: Iterable[Picked]) -> list[Picked]:
    """Order `backends` by their rank for `key`, the best first."""
    return sorted(
        backends,
        key=lambda each: (score(key, each.name, each.weight), each.name),
        reverse=True,
    )


def first(key: bytes, backends: Iterable[Picked]) -> Picked:
    """Give the best of `backends` for `key`."""
    return max(backends, key=lambda each: (score(key, each.name, each.weight), each.name))
