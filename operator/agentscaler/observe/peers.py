"""Look whom a connection has really reached, before anything is said on it.

A name on the operator's list may be made to mean another address later (DNS rebinding): the node's
metadata service, or a port of the operator's own pod. An address counts as meant if it is listed as
such, which `localhost` is for the loopback. What an address that is reached passes on to (a Service
of the cluster, a proxy) is not seen.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, TypeAlias

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from agentscaler.errors import SourceUnavailableError

Address: TypeAlias = IPv4Address | IPv6Address

# Where clouds serve metadata and credentials beside 169.254.0.0/16, which is link-local.
_METADATA: Final = frozenset(
    ip_address(each)
    for each in (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS, for pods
        "fd20:ce::254",  # Google
    )
)
# Addresses whose last 32 bits are those that a gateway (NAT64) or the kernel goes on to.
_EMBEDDING: Final = (
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0:0/96"),
)
_IPV4: Final = 0xFFFFFFFF


class WrongPeerError(SourceUnavailableError):
    """A name has led to an address that no metrics server has."""


def check_peer(host: str, peer: str, *, own: str = "") -> None:
    """Raise WrongPeerError if a name led to an address that no metrics server has.

    `own` is the address that the connection comes from.
    """
    reached = _read(peer)
    kind = _kind_of(reached)
    if not kind and own and _read(own) == reached:
        kind = "the operator's own address"
    if kind and not _is_meant(host, reached):
        raise WrongPeerError(f"it leads to {reached}, {kind}; list that one if it is meant")


def _read(written: str) -> Address:
    """Read an address; one that embeds another means that one."""
    address = ip_address(written.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    embedded = address.ipv4_mapped or address.sixtofour
    if embedded is None and any(address in each for each in _EMBEDDING):
        embedded = IPv4Address(int(address) & _IPV4)
    # The IPv6 loopback and the address of nobody are the first of those that embed nothing.
    return embedded if embedded is not None and int(address) > 1 else address


def _kind_of(address: Address) -> str:
    kinds = {
        "a cloud's metadata address": address in _METADATA,
        "a link-local address": address.is_link_local,
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "nobody's address": address.is_unspecified,
    }
    return next((kind for kind, applies in kinds.items() if applies), "")


def _is_meant(host: str, reached: Address) -> bool:
    if host.lower() == "localhost":
        return reached.is_loopback
    try:
        return _read(host.strip("[]")) == reached
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
        check_peer(host, connected.getpeername()[0], own=connected.getsockname()[0])
    except WrongPeerError:
        connected.close()
        raise
    return connected
