"""Everything that can go wrong, grouped by who has to react.

    AgentscalerError
    ├── InvalidPolicyError          the author of a manifest: names the field and the fix
    ├── UnconvertibleError          the author of another autoscaler's manifest: names the field
    ├── UsageError                  whoever typed a command or set an option
    ├── SourceError                 the metrics source; the next poll is the retry
    │   ├── BadQueryError               it refused the query
    │   ├── SourceUnavailableError      it cannot be reached
    │   ├── SourceTimeoutError          it did not answer in time
    │   └── BadResponseError            it answered something else
    ├── ClusterError                the API server; tried again at the next poll
    │   ├── ConflictError               somebody else changed the object: read it again
    │   ├── ExpiredError                a list or watch cannot go on: begin it again
    │   ├── NotFoundError               the object, or its kind, is not there
    │   ├── ForbiddenError              the operator may not do this
    │   └── NotScalableError            the kind has no `/scale`
    └── LeadershipLostError         this process: stop writing at once

Libraries' own exceptions are translated once, in the adapter that calls them.
"""


class AgentscalerError(Exception):
    """Root of all errors raised on purpose."""


class InvalidPolicyError(AgentscalerError, ValueError):
    """A manifest that cannot be followed; each problem names its field and the fix."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class UnconvertibleError(AgentscalerError, ValueError):
    """A manifest of another autoscaler that no policy can stand for, because of one field."""

    def __init__(self, path: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.path = path
        self.sentence = sentence


class UsageError(AgentscalerError):
    """A command or an option that makes no sense."""


class SourceError(AgentscalerError):
    """The metrics source gave no usable answer."""


class BadQueryError(SourceError):
    """The metrics source refused the query itself."""


class SourceUnavailableError(SourceError):
    """The metrics source cannot be reached."""


class SourceTimeoutError(SourceError):
    """The metrics source did not answer in time."""


class BadResponseError(SourceError):
    """What answered does not speak the Prometheus API."""


class ClusterError(AgentscalerError):
    """The API server refused or failed a request."""


class ConflictError(ClusterError):
    """The object changed between reading and writing it, or exists already."""


class ExpiredError(ClusterError):
    """The server no longer keeps the version that a list or watch would go on from."""


class NotFoundError(ClusterError):
    """The object does not exist, or the cluster does not know its kind."""


class ForbiddenError(ClusterError):
    """The operator lacks the right to do this."""


class NotScalableError(ClusterError):
    """Objects of this kind have no `/scale` subresource to set a count through."""


class LeadershipLostError(AgentscalerError):
    """Another replica may be writing: this one must stop."""
