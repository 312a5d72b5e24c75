"""The client's failures and the API server's refusals, said in our words, once."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import aiohttp

from agentscaler.errors import (
    ClusterError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    NotFoundError,
)

_BY_STATUS: Final[Mapping[int, type[ClusterError]]] = {
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: ExpiredError,
}
# A server that is overloaded asks for a second or two; longer, and the next poll is the retry.
_LONGEST_WAIT_SECONDS: Final = 5.0
_LONGEST_TEXT: Final = 300  # an HTML page of some proxy says nothing more after that


@contextmanager
def our_words(doing: str) -> Iterator[None]:
    """Say failures of the connection as ClusterError, with what was being done."""
    try:
        yield
    except TimeoutError as exc:
        raise ClusterError(f"{doing}: the API server did not answer in time") from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise ClusterError(f"{doing}: {str(exc) or type(exc).__name__}") from exc
    except ValueError as exc:
        raise ClusterError(f"{doing}: not an answer of an API server: {exc}") from exc


def refusal(status: int, body: bytes) -> ClusterError:
    """Make the error for an answer that is none, with the server's own message."""
    try:
        said = json.loads(body)
        message = str(said["message"])
    except (ValueError, KeyError, TypeError):
        message = f"HTTP {status}: {body.decode(errors='replace')[:_LONGEST_TEXT]}"
    return _BY_STATUS.get(status, ClusterError)(message)


def wait_asked_for(status: int, headers: Mapping[str, str]) -> float | None:
    """Tell the seconds after which the server wants to be asked again, if they are few."""
    if status not in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return None
    seconds = headers.get("Retry-After", "")
    if not seconds.isdecimal() or int(seconds) > _LONGEST_WAIT_SECONDS:
        return None
    return float(seconds)
