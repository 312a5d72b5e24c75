"""Everything the gateway raises on purpose, grouped by who has to react.

AgentscalerError
├── UsageError
│   └── InvalidConfigError          the author of the configuration: names the field and the fix
└── GatewayError
    ├── BusyError                   the caller: come back later; nothing was begun
    │   ├── LineFullError               too many wait already
    │   └── WaitTimeoutError            no backend had room in time
    ├── BackendError                the backend that was chosen
    │   ├── UnreachableError            no connection: nothing was sent, another may take it
    │   ├── BrokenConnectionError       it went away before it answered
    │   └── SilentBackendError          it did not answer in time
    ├── DiscoveryError              the list of backends cannot be read; the last one stays
    └── WakeError                   the policy cannot be told; its operator polls anyway
"""

from agentscaler.errors import AgentscalerError, UsageError


class InvalidConfigError(UsageError):
    """A configuration that cannot be followed; names the field and the fix."""


class GatewayError(AgentscalerError):
    """Root of what the gateway raises while it serves."""


class BusyError(GatewayError):
    """No backend takes the request now; nothing was begun."""


class LineFullError(BusyError):
    """Too many requests wait already."""


class WaitTimeoutError(BusyError):
    """No backend had room within the deadline."""


class BackendError(GatewayError):
    """The chosen backend gave no answer."""


class UnreachableError(BackendError):
    """No connection could be opened; nothing was sent."""


class BrokenConnectionError(BackendError):
    """The backend went away before it answered; what it did is unknown."""


class SilentBackendError(BackendError):
    """The backend did not answer in time."""


class DiscoveryError(GatewayError):
    """The list of backends cannot be read now."""


class WakeError(GatewayError):
    """The policy cannot be told that somebody waits."""
