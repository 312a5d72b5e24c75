"""Log lines: JSON for machines, one line each, or a console form for people.

All loggers, the libraries' own included, go the same way to the standard error. The time of a line
is the one that `logging` gave its record.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

from agentscaler.api.status import ScalingEvent

JSON: Final = "json"
CONSOLE: Final = "console"
FORMATS: Final = (JSON, CONSOLE)

# Chatty at INFO: one line a watch event, an HTTP request, a pool connection.
_QUIET: Final = ("kopf.objects", "kopf.activities", "aiohttp.access", "urllib3", "kubernetes")


def configure(form: str = JSON, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the lines of all loggers to `stream` (the standard error) in one form."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_formatter(form))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give the logger of a part of the program."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found


def scaling(log: structlog.stdlib.BoundLogger, policy: str, event: ScalingEvent) -> None:
    """Write the line of one scaling; its id is that of the Events and of the status."""
    log.info(
        "scaling",
        decision=event.id,
        policy=policy,
        outcome=event.outcome.value,
        before=event.from_,
        after=event.to,
        reason=event.reason,
        message=event.message,
        readings=event.signals,
        **({"failure": event.failure} if event.failure else {}),
    )


def _formatter(form: str) -> logging.Formatter:
    # Tracebacks as plain text: the richer forms print local variables, tokens among them.
    last: list[Processor] = [structlog.processors.format_exc_info, _order, _json()]
    if form == CONSOLE:
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_common(), structlog.stdlib.ExtraAdder(allow=("k8s_ref",))],
        processors=[
            _stamp,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *last,
        ],
    )


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]


def _stamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add the time that the record was made at."""
    made = datetime.fromtimestamp(event["_record"].created, UTC)
    event["timestamp"] = made.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Put first what a reader looks for first."""
    first = {
        key: event.pop(key) for key in ("timestamp", "level", "logger", "event") if key in event
    }
    return {**first, **event}


def _json() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
