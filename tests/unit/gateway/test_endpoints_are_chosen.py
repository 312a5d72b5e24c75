"""Which endpoints of a Service's slices may get new requests."""

from typing import Any

import pytest

from agentscaler.gateway.discovery import address_of
from agentscaler.gateway.endpoint_slices import endpoints_of

PORTS = [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8000}]


def slice_of(*endpoints: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> Any:
    return {"endpoints": list(endpoints), "ports": PORTS if ports is None else ports}


def endpoint(host: str, **conditions: bool | None) -> dict[str, Any]:
    return {"addresses": [host], "conditions": conditions}


def addresses(*slices: Any, port: str | int | None = "http") -> list[str]:
    return [each.address for each in endpoints_of(slices, port)]


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        ({"ready": True}, True),
        ({"ready": None}, True),  # unknown counts as ready
        ({}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"ready": True, "terminating": True}, False),  # publishNotReadyAddresses
    ],
)
def test_endpoint_gets_requests_unless_unready_or_terminating(
    conditions: dict[str, Any], taken: bool
) -> None:
    assert addresses(slice_of(endpoint("10.0.0.1", **conditions))) == ["10.0.0.1:8000"] * taken


def test_endpoint_in_two_slices_counts_once() -> None:
    both = slice_of(endpoint("10.0.0.1")), slice_of(endpoint("10.0.0.1"), endpoint("10.0.0.2"))
    assert addresses(*both) == ["10.0.0.1:8000", "10.0.0.2:8000"]


def test_pods_of_one_host_are_told_apart_by_their_ports() -> None:
    ports = ([{"name": "http", "port": number}] for number in (8000, 8001))
    slices = [slice_of(endpoint("10.0.0.1"), ports=each) for each in ports]
    assert addresses(*slices) == ["10.0.0.1:8000", "10.0.0.1:8001"]


def test_port_is_found_by_name_or_number_and_is_the_first_by_default() -> None:
    one = slice_of(endpoint("10.0.0.1"))
    assert addresses(one, port=8000) == ["10.0.0.1:8000"]
    assert addresses(one, port=None) == ["10.0.0.1:9090"]
    assert addresses(one, port="grpc") == []
    assert addresses({"endpoints": None, "ports": None}) == []


def test_ipv6_goes_into_brackets() -> None:
    assert address_of("fd00::1", 80) == "[fd00::1]:80"
