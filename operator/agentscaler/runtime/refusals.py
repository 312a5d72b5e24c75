"""How what is wrong sounds over HTTP; decides nothing.

An error of the kit that leaves the application unanswered becomes the status its caller can act on.
"""

from http import HTTPStatus
from typing import Final

from agentscaler.runtime.asgi import Header
from agentscaler.runtime.errors import (
    InvalidSessionError,
    OverloadedError,
    ServiceError,
    StateConflictError,
    StateTooLargeError,
    StateUnavailableError,
)

MAX_RETRY_AFTER_SECONDS: Final = 60

_STATUSES: Final[dict[type[ServiceError], int]] = {
    InvalidSessionError: HTTPStatus.BAD_REQUEST,
    StateConflictError: HTTPStatus.CONFLICT,
    StateTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    StateUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: ServiceError, overload_status: int) -> int | None:
    """Find the status for `error`; None for one that is the service's own fault."""
    if isinstance(error, OverloadedError):
        return overload_status
    return next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), None)


def retry_after_seconds(queued: int, max_concurrent: int, mean_seconds: float) -> int:
    """Estimate when a slot will be free for one more: the line's work over the slots."""
    expected = (queued + 1) * mean_seconds / max_concurrent
    return max(1, min(MAX_RETRY_AFTER_SECONDS, round(expected)))


def retry_after(seconds: int) -> Header:
    """Write the Retry-After header."""
    return (b"retry-after", str(seconds).encode())
