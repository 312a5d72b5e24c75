"""The load of this instance as an ORCA report, for whoever balances by response headers.

Envoy, gRPC and the gateway read `endpoint-load-metrics`. Of the fields that Envoy knows (it drops a
report with any other) we can say `application_utilization`; the counts behind it are named metrics.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal

from agentscaler import conventions
from agentscaler.runtime.asgi import Header

HEADER: Final = b"endpoint-load-metrics"

Form = Literal["TEXT", "JSON"]
Writer = Callable[[int, int, int], tuple[Header, ...]]


@lru_cache(maxsize=4096)
def text_headers(active: int, queued: int, capacity: int) -> tuple[Header, ...]:
    """Write the report as comma-separated pairs."""
    utilization = (active + queued) / capacity if capacity else 1.0
    report = (
        f"TEXT application_utilization={utilization:.4g}"
        f",named_metrics.{conventions.ACTIVE_REQUESTS}={active}"
        f",named_metrics.{conventions.QUEUE_DEPTH}={queued}"
        f",named_metrics.{conventions.CAPACITY}={capacity}"
    )
    return ((HEADER, report.encode()),)


@lru_cache(maxsize=4096)
def json_headers(active: int, queued: int, capacity: int) -> tuple[Header, ...]:
    """Write the report as one JSON object."""
    utilization = (active + queued) / capacity if capacity else 1.0
    report = (
        f'JSON {{"application_utilization":{utilization:.4g},"named_metrics":{{'
        f'"{conventions.ACTIVE_REQUESTS}":{active}'
        f',"{conventions.QUEUE_DEPTH}":{queued}'
        f',"{conventions.CAPACITY}":{capacity}}}}}'
    )
    return ((HEADER, report.encode()),)


def no_headers(active: int, queued: int, capacity: int) -> tuple[Header, ...]:
    """Report nothing."""
    return ()


WRITERS: Final[dict[Form | None, Writer]] = {
    "TEXT": text_headers,
    "JSON": json_headers,
    None: no_headers,
}
