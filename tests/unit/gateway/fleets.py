"""Backends as the rules see them, and ways to draw them."""

from dataclasses import dataclass
from math import inf

from hypothesis import strategies as st

from agentscaler.gateway.routing.picking import Request

ANY = Request(draw=0.5)


@dataclass(frozen=True)
class Seen:
    """One backend, by default idle, unlimited and new."""

    name: str
    weight: float = 1.0
    active: int = 0
    free: float = inf
    responses: int = 0
    mean_seconds: float | None = None
    error_ratio: float = 0.0


def seen_of(count: int) -> list[Seen]:
    return [Seen(f"10.0.0.{number}:8000") for number in range(count)]


def drawn_at(draw: float, key: bytes | None = None) -> Request:
    return Request(draw=draw, key=key)


keys = st.binary(min_size=1, max_size=8)
draws = st.floats(0, 1, exclude_max=True)
requests = st.builds(Request, draw=draws, key=st.none() | keys)


@st.composite
def backends(draw: st.DrawFn) -> Seen:
    responses = draw(st.integers(0, 100))
    return Seen(
        name=f"10.0.0.{draw(st.integers(1, 250))}:8000",
        weight=draw(st.floats(0.01, 100)),
        active=draw(st.integers(0, 100)),
        free=draw(st.integers(1, 100) | st.just(inf)),
        responses=responses,
        mean_seconds=draw(st.floats(0, 600)) if responses else None,
        error_ratio=draw(st.floats(0, 1)) if responses else 0.0,
    )


fleets = st.lists(backends(), min_size=1, max_size=8, unique_by=lambda each: each.name)
