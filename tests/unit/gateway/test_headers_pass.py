"""Which headers pass, what is added, and the capacity in a load report."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from agentscaler.gateway.headers import end_to_end, forwarded, reported_capacity


def proxied(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


def test_headers_of_one_connection_stay_there() -> None:
    headers = proxied(
        ("Connection", "close, X-Private"),
        ("connection", "X-Other"),
        ("X-Private", "1"),
        ("x-other", "2"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    )
    assert list(end_to_end(headers).items()) == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


def test_origin_is_told_and_what_is_told_already_is_kept() -> None:
    first = forwarded(proxied(("Host", "agents.example")), client="192.0.2.1", scheme="http")
    assert first["X-Forwarded-For"] == "192.0.2.1"
    assert (first["X-Forwarded-Proto"], first["X-Forwarded-Host"]) == ("http", "agents.example")
    headers = proxied(
        ("Host", "inside"),
        ("X-Forwarded-For", "198.51.100.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "agents.example"),
        ("Expect", "100-continue"),
    )
    second = forwarded(headers, client="192.0.2.1", scheme="http")
    assert second["X-Forwarded-For"] == "198.51.100.9, 192.0.2.1"
    assert (second["X-Forwarded-Proto"], second["X-Forwarded-Host"]) == ("https", "agents.example")
    assert "Expect" not in second


@pytest.mark.parametrize(
    ("report", "capacity"),
    [
        ("TEXT application_utilization=0.5,named_metrics.agent_capacity=12", 12),
        ('JSON {"named_metrics":{"agent_active_requests":1,"agent_capacity": 7}}', 7),
        ("TEXT named_metrics.agent_capacity=3,cpu_utilization=0.9", 3),
        ("TEXT application_utilization=0.5", None),
        ("TEXT named_metrics.agent_capacity=0", 0),
        ("TEXT named_metrics.agent_capacity=many", None),
        (None, None),
    ],
)
def test_capacity_is_read_from_a_load_report(report: str | None, capacity: int | None) -> None:
    assert reported_capacity(report) == capacity
