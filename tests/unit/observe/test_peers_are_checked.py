"""A listed name that leads to this machine or its link is not taken for a metrics server."""

import pytest

from agentscaler.observe.peers import WrongPeerError, check_peer


@pytest.mark.parametrize(
    ("peer", "kind"),
    [
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("224.0.0.1", "multicast"),
        ("0.0.0.0", "nobody's"),  # noqa: S104 - never bound
    ],
)
def test_name_must_not_lead_here(peer: str, kind: str) -> None:
    with pytest.raises(WrongPeerError, match=kind):
        check_peer("thanos.example", peer)


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("thanos.monitoring", "10.0.0.7"),
        ("thanos.example", "203.0.113.7"),
        ("thanos.example", "2001:db8::7"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("localhost", "::1"),
        ("169.254.7.7", "169.254.7.7"),
    ],
)
def test_address_that_is_meant_is_asked(host: str, peer: str) -> None:
    check_peer(host, peer)


def test_localhost_means_the_loopback_only() -> None:
    with pytest.raises(WrongPeerError):
        check_peer("localhost", "169.254.169.254")
