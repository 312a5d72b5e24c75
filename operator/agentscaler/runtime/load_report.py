"""The load of this instance as an ORCA report, for whoever balances by response headers.

Envoy, gRPC and the gateway read `endpoint-load-metrics`. Of the fields that Envoy knows (it drops a
report with any other) we can say `application_utilization`; the counts behind it are named metrics.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal

from agentscaler import conventions

HEADER: Final = b"endpoint-load-metrics"

Form = Literal["TEXT", "JSON"]
Writer = Callable[[int, int, int], bytes]


@lru_cache(maxsize=4096)
def write_text(active: int, queued: int, capacity: int) -> bytes:
    """Write the report as comma-separated pairs."""
    utilization = (active + queued) / capacity if capacity else 1.0
    return (
        f"TEXT application_utilization={utilization:.4g}"
        f",named_metrics.{conventions.ACTIVE_REQUESTS}={active}"
        f",named_metrics.{conventions.QUEUE_DEPTH}={queued}"
        f",named_metrics.{conventions.CAPACITY}={capacity}"
    ).encode()


@lru_cache(maxsize=4096)
def write_json(active: int, queued: int, capacity: int) -> bytes:
    """Write the report as one JSON object."""
    utilization = (active + queued) / capacity if capacity else 1.0
    return (
        f'JSON {{"application_utilization":{utilization:.4g},"named_metrics":{{'
        f'"{conventions.ACTIVE_REQUESTS}":{active}'
        f',"{conventions.QUEUE_DEPTH}":{queued}'
        f',"{conventions.CAPACITY}":{capacity}}}}}'
    ).encode()


WRITERS: Final[dict[Form, Writer]] = {"TEXT": write_text, "JSON": write_json}
