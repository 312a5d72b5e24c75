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
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("192.0.0.192", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("::ffff:168.63.129.16", "metadata"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("64:ff9b:1::a9fe:a9fe", "link-local"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("::169.254.169.254", "link-local"),
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
        ("100.100.100.200", "100.100.100.200"),
        ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("thanos.example", "64:ff9b::cb00:7107"),  # 203.0.113.7 behind NAT64
        ("thanos.example", "100.100.100.201"),
    ],
)
def test_address_that_is_meant_is_asked(host: str, peer: str) -> None:
    check_peer(host, peer)


@pytest.mark.parametrize(
    ("own", "peer"),
    [("10.0.0.5", "10.0.0.5"), ("fd00::5", "fd00::5"), ("::ffff:10.0.0.5", "10.0.0.5")],
)
def test_name_must_not_lead_to_the_operator_itself(own: str, peer: str) -> None:
    with pytest.raises(WrongPeerError, match="the operator's own address"):
        check_peer("thanos.example", peer, own=own)
    check_peer(peer, peer, own=own)
    check_peer("thanos.example", "10.0.0.7", own=own)


def test_localhost_means_the_loopback_only() -> None:
    with pytest.raises(WrongPeerError):
        check_peer("localhost", "169.254.169.254")
