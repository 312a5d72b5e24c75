"""Look whom a connection has really reached, before anything is said on it.

A name on the operator's list may be made to mean another address later (DNS rebinding): the node's
metadata service, or a port of the operator's own pod. An address counts as meant if it is listed as
such, which `localhost` is for the loopback.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, TypeAlias

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from agentscaler.errors import SourceUnavailableError

Address: TypeAlias = IPv4Address | IPv6Address


class WrongPeerError(SourceUnavailableError):
    """A name has led to an address that no metrics server has."""


def check_peer(host: str, peer: str) -> None:
    """Raise WrongPeerError if a name led to an address that only this machine or link has."""
    reached = ip_address(peer.partition("%")[0])
    if isinstance(reached, IPv6Address) and reached.ipv4_mapped:
        reached = reached.ipv4_mapped
    kind = _kind_of(reached)
    if kind and not _is_meant(host, reached):
        raise WrongPeerError(
            f"it leads to {reached}, a {kind} address; list that one if it is meant"
        )


def _kind_of(address: Address) -> str:
    kinds = {
        "link-local": address.is_link_local,
        "loopback": address.is_loopback,
        "multicast": address.is_multicast,
        "nobody's": address.is_unspecified,
    }
    return next((kind for kind, applies in kinds.items() if applies), "")


def _is_meant(host: str, reached: Address) -> bool:
    if host.lower() == "localhost":
        return reached.is_loopback
    try:
        return ip_address(host.strip("[]")) == reached
    except ValueError:
        return False


class _Http(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(self.host, super()._new_conn())


class _Https(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(self.host, super()._new_conn())


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS: Final[dict[str, Any]] = {"http": _HttpPool, "https": _HttpsPool}
"""Pools of connections whose peers are checked, by scheme."""


def _checked(host: str, connected: socket.socket) -> socket.socket:
    try:
        check_peer(host, connected.getpeername()[0])
    except WrongPeerError:
        connected.close()
        raise
    return connected
