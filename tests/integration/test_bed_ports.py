"""Ports that a bed reserves."""

import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest

from tests.bed import BedError
from tests.bed.ports import LOOPBACK, Ports


@pytest.fixture
def ports() -> Iterator[Ports]:
    reserved = Ports()
    yield reserved
    reserved.release()


@contextlib.contextmanager
def listener(port: int) -> Iterator[None]:
    """Listen as Go programs do."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, port))
        server.listen()
        yield


def test_taken_port_is_refused_in_a_sentence(ports: Ports) -> None:
    free = ports.reserve()
    ports.release()
    with listener(free), pytest.raises(BedError, match=f"port {free} is taken by another program"):
        ports.reserve(free)


def test_wanted_port_is_reserved_when_it_is_free(ports: Ports) -> None:
    free = ports.reserve()
    ports.release()
    assert ports.reserve(free) == free


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ports are only found free")
def test_reserved_port_serves_its_program_again_and_nobody_else(ports: Ports) -> None:
    port = ports.reserve()
    for _ in range(2):
        with listener(port):
            socket.create_connection((LOOPBACK, port)).close()
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind((LOOPBACK, port))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port))
