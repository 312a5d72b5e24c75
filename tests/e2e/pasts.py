"""A load of yesterday, for Prometheus to know before the operator starts."""

import time
from collections.abc import Iterator
from pathlib import Path

from agentscaler import conventions

FORESEEN = "e2e-foreseen"
BUSY, CALM = 40, 2
DAY, HOUR, MINUTE = 86_400, 3_600, 60


def write_past(path: Path) -> None:
    """Write a day in OpenMetrics form: busy for hours from this time yesterday on, calm since."""
    now = int(time.time()) // MINUTE * MINUTE
    path.write_text("\n".join([*_lines(now), "# EOF", ""]))


def _lines(now: int) -> Iterator[str]:
    labels = f'{{namespace="{FORESEEN}",agent="agent",pod="agent-0"}}'
    for name in (conventions.ACTIVE_REQUESTS, conventions.QUEUE_DEPTH):
        yield f"# TYPE {name} gauge"
        for at in range(now - DAY - HOUR, now - MINUTE, MINUTE):
            load = BUSY if at < now - DAY + 6 * HOUR else CALM
            yield f"{name}{labels} {load if name == conventions.ACTIVE_REQUESTS else 0} {at}"
