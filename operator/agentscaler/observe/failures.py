"""Say what goes wrong between us and Prometheus in our own words, once.

Sentences name the server and what it said. They never hold credentials or whole queries, which the
libraries' own messages do.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import requests
import urllib3
from prometheus_api_client.exceptions import PrometheusApiClientException

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.errors import (
    BadQueryError,
    BadResponseError,
    SourceError,
    SourceTimeoutError,
    SourceUnavailableError,
)
from agentscaler.observe.transport import Exchange, TooLargeError

_SENTENCE: Final = 400

# Remarks on how a query is written, not on missing data: one bad exporter in one namespace would
# otherwise cast doubt on the grouped answers of all.
_REMARK: Final = "PromQL "

# What Prometheus says when a query ran out of its time, or of the samples it may load.
_GAVE_UP: Final = ("context deadline exceeded", "query timed out")
_TOO_HEAVY: Final = "too many samples"

_BROKEN: Final = (
    requests.JSONDecodeError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
)
_SHAPELESS: Final = (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError)


class UnreachableError(SourceUnavailableError):
    """No connection came about: it is about the server, whatever is asked."""


class SlowQueryError(SourceTimeoutError):
    """The server gave the query up: not the server but the query is slow."""


class HeavyQueryError(BadQueryError):
    """The query loads more than the server allows; a part of it may be allowed."""


def missing_of(error: SourceError) -> Missing:
    """Say why there is no reading."""
    match error:
        case BadQueryError() | TooLargeError():
            why = Why.REFUSED
        case SourceTimeoutError():
            why = Why.TIMEOUT
        case _:
            why = Why.UNAVAILABLE
    return Missing(why, str(error))


@contextmanager
def our_words(host: str, exchange: Exchange) -> Iterator[None]:
    """Raise what happens inside as one of our errors."""
    try:
        yield
    except SourceError as exc:
        raise type(exc)(f"{host}: {exc}") from exc
    except PrometheusApiClientException as exc:
        raise refusal_of(host, exchange) from exc
    except requests.TooManyRedirects as exc:
        where = exchange.headers.get("Location", "another address")
        raise BadResponseError(f"{host} redirects to {where}: redirects are not followed") from exc
    except requests.ConnectTimeout as exc:
        raise UnreachableError(f"{host} cannot be reached: it takes no connection") from exc
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as exc:
        raise SourceTimeoutError(f"{host} did not answer in time") from exc
    except requests.exceptions.InvalidHeader:
        # The library's sentence would show the token.
        raise SourceUnavailableError(f"the credentials for {host} fit into no header") from None
    except _BROKEN as exc:
        raise BadResponseError(
            f"{host} answers, but not as Prometheus: {_start(exchange)}"
        ) from exc
    except (requests.RequestException, OSError) as exc:
        raise _broken_off(host, exc) from exc
    except _SHAPELESS as exc:
        raise BadResponseError(f"{host} answers, but with no Prometheus result") from exc
    finally:
        exchange.clear()


def refusal_of(host: str, exchange: Exchange) -> SourceError:
    """Make an error of an answer that is not 200."""
    said = _said(exchange.body)
    status = exchange.status
    if any(words in said for words in _GAVE_UP):
        return SlowQueryError(f"{host} gave the query up: {said}")
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY} and said:
        return HeavyQueryError(said) if _TOO_HEAVY in said else BadQueryError(said)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return SourceUnavailableError(f"{host} refuses the credentials ({status})")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return SourceUnavailableError(f"{host} answers {status}{said and f': {said}'}")
    return BadResponseError(f"{host} answers {status}, which is not Prometheus")


def warning_in(body: bytes) -> str:
    """Find what a server says of data that it could not reach; the client library drops it."""
    if b'"warnings"' not in body:
        return ""
    warnings = json.loads(body).get("warnings") or []
    partial = [text for text in warnings if not text.startswith(_REMARK)]
    return "; ".join(partial)[:_SENTENCE]


def _said(body: bytes) -> str:
    """Give the sentence of an error that Prometheus speaks."""
    try:
        error: Any = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return " ".join(str(error).split())[:_SENTENCE]


def _start(exchange: Exchange) -> str:
    start = " ".join(exchange.body[:60].decode(errors="replace").split())
    return repr(start) if start else "it broke off"


def _broken_off(host: str, error: Exception) -> SourceError:
    """Make an error of a connection that did not come about, or did not last."""
    cause = _innermost(error)
    if any(isinstance(each, TimeoutError) for each in (cause, *cause.args)):  # while it was sent
        return SourceTimeoutError(f"{host} did not answer in time")
    kind = UnreachableError if _has_no_connection(error) else SourceUnavailableError
    reason = str(getattr(cause, "strerror", None) or cause)
    return kind(f"{host} cannot be reached: {reason[:_SENTENCE]}")


def _has_no_connection(error: Exception) -> bool:
    outer = error.args[0] if error.args else None
    return isinstance(getattr(outer, "reason", None), urllib3.exceptions.NewConnectionError)


def _innermost(error: BaseException) -> BaseException:
    """Find the first reason: what is around it repeats the whole URL."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
