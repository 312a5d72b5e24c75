"""Which headers pass a proxy, and what it adds (RFC 9110, section 7.6)."""

from collections.abc import Iterable, Mapping
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

LOAD_REPORT: Final = "endpoint-load-metrics"

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def forwarded(
    headers: CIMultiDictProxy[str], *, client: str, scheme: str, without: Iterable[str] = ()
) -> CIMultiDict[str]:
    """Make the request's headers for the backend; `client` is the peer's address."""
    passed = end_to_end(headers, without)
    passed.popall("expect", None)  # answered by the gateway itself
    chain = [*headers.getall("x-forwarded-for", []), client]
    passed["X-Forwarded-For"] = ", ".join(chain)
    passed.setdefault("X-Forwarded-Proto", scheme)
    passed.setdefault("X-Forwarded-Host", headers.get("host", ""))
    return passed


def end_to_end(headers: Mapping[str, str], without: Iterable[str] = ()) -> CIMultiDict[str]:
    """Copy all headers but those that belong to one connection."""
    named = [text for name, text in headers.items() if name.lower() == "connection"]
    listed = {name.strip().lower() for name in ",".join(named).split(",")}
    dropped = _HOP_BY_HOP | listed | set(without)
    return CIMultiDict(
        (name, text) for name, text in headers.items() if name.lower() not in dropped
    )


def reported_capacity(report: str | None) -> int | None:
    """Read `agent_capacity` out of an ORCA load report; None where there is no such number."""
    _, _, rest = (report or "").partition("agent_capacity")
    digits = ""
    for sign in rest.lstrip('":= '):
        if not sign.isdigit():
            break
        digits += sign
    return int(digits) if digits else None
