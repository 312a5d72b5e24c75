"""What a rule may know of a request and of a backend, and the shape of a rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Backend(Protocol):
    """One instance as the rules see it.

    `free` is infinite where no capacity is known. `mean_seconds` and `error_ratio` cover the last
    `responses` responses; without any the mean is None.
    """

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def active(self) -> int: ...
    @property
    def free(self) -> float: ...
    @property
    def responses(self) -> int: ...
    @property
    def mean_seconds(self) -> float | None: ...
    @property
    def error_ratio(self) -> float: ...


Picked = TypeVar("Picked", bound=Backend)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the rules see it: `draw` is uniform in [0, 1), `key` is what is hashed."""

    draw: float
    key: bytes | None = None

    @property
    def spread_key(self) -> bytes:
        """Give the key; one without a key is spread by chance."""
        return self.key if self.key is not None else repr(self.draw).encode()


class Rule(Protocol):
    """A routing rule."""

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Choose among `candidates`, of which there is at least one."""
        ...


def drawn(request: Request, equals: Sequence[Picked]) -> Picked:
    """Choose among equals by the request's draw: the first of a list would get every tie."""
    return equals[int(request.draw * len(equals))]
