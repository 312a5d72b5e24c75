"""Everything the kit raises on purpose, grouped by who has to react.

AgentscalerError
└── ServiceError                    an agent service that embeds the kit
    ├── OverloadedError             the caller: come back later, or to another replica
    │   ├── QueueFullError              too many wait already
    │   ├── WaitTimeoutError            waited as long as it may
    │   ├── PoolTimeoutError            no pooled connection became free in time
    │   └── ShuttingDownError           this instance takes no new work
    ├── StateError                  session state
    │   ├── StateConflictError          somebody else saved first: load again
    │   ├── StateTooLargeError          the author of the agent: keep less
    │   ├── InvalidSessionError         the caller: the session's name is unusable
    │   └── StateUnavailableError       the store cannot be reached; the next request is the retry
    ├── BatchFailedError            the batch as a whole failed, maybe not because of this request
    ├── PoolError                   a connection cannot be opened
    └── UnknownResourceError        a name that nobody registered
"""

from agentscaler.errors import AgentscalerError


class ServiceError(AgentscalerError):
    """Root of what the runtime kit raises."""


class OverloadedError(ServiceError):
    """There is more work than room; nothing was begun."""


class QueueFullError(OverloadedError):
    """Too many requests wait already."""


class WaitTimeoutError(OverloadedError):
    """The request waited as long as it may."""


class PoolTimeoutError(OverloadedError):
    """No pooled connection became free in time."""


class ShuttingDownError(OverloadedError):
    """The instance, batcher or pool takes no new work."""


class StateError(ServiceError):
    """Session state could not be loaded or saved."""


class StateConflictError(StateError):
    """The session changed between loading and saving it; nothing was written."""


class StateTooLargeError(StateError):
    """The session's state exceeds its limit; nothing was written."""


class InvalidSessionError(StateError):
    """The name of the session is missing or unusable."""


class StateUnavailableError(StateError):
    """The store cannot be reached, or answered with something that is no state of ours."""


class BatchFailedError(ServiceError):
    """The batch as a whole failed; the cause is attached."""


class PoolError(ServiceError):
    """A connection could not be opened."""


class UnknownResourceError(ServiceError):
    """Nothing is registered under this name."""
