"""Everything that can be set on an `AgentService`, in one record."""

from dataclasses import dataclass
from http import HTTPStatus

from agentscaler.runtime.identity import Identity
from agentscaler.runtime.load_report import WRITERS, Form


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What a service takes, how it leaves and what it tells; every default suits a pod.

    `overload_status` is 503 because the instance is busy, not the caller greedy: proxies try
    another backend on it, and it is never mistaken for the provider's own 429. Choose 429 behind a
    mesh that ejects backends on 5xx.
    """

    max_queued: int = 100
    max_wait_seconds: float | None = 30.0
    overload_status: int = HTTPStatus.SERVICE_UNAVAILABLE
    drain_delay_seconds: float = 5.0
    drain_limit_seconds: float = 25.0  # below the usual 30 s of terminationGracePeriodSeconds
    drain_on_sigterm: bool = True
    health_path: str = "/healthz"
    ready_path: str = "/readyz"
    metrics_path: str = "/metrics"
    drain_path: str | None = "/drain"
    load_report: Form | None = "TEXT"
    identity: Identity | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense, with the fix."""
        if self.overload_status not in (429, 503):
            raise ValueError("overload_status must be 429 or 503")
        if self.drain_limit_seconds < 0 or self.drain_delay_seconds < 0:
            raise ValueError("drain_delay_seconds and drain_limit_seconds must not be negative")
        if self.max_wait_seconds is not None and self.max_wait_seconds < 0:
            raise ValueError("max_wait_seconds must not be negative; None waits for ever")
        if self.load_report not in WRITERS:
            raise ValueError("load_report must be TEXT, JSON or None")
        for name in ("health_path", "ready_path", "metrics_path", "drain_path"):
            if not (getattr(self, name) or "/").startswith("/"):
                raise ValueError(f"{name} must begin with a slash")
