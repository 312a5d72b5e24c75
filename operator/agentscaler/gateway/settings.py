"""Everything that can be configured, as records with their defaults; reading it is `config`'s."""

from dataclasses import dataclass, field
from typing import Literal

from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.ejection import Ejection

RuleName = Literal[
    "adaptive",
    "round-robin",
    "least-connections",
    "weighted-response-time",
    "capacity",
    "hash",
    "affinity",
    "sharded",
]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class StaticBackends:
    """A list that does not change."""

    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class DnsBackends:
    """All addresses of a name, as a headless Service has them."""

    name: str
    port: int
    every_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class ServiceBackends:
    """The ready endpoints of a Kubernetes Service, watched; the namespace defaults to our own."""

    name: str
    namespace: str | None = None
    port: str | int | None = None


Source = StaticBackends | DnsBackends | ServiceBackends


@dataclass(frozen=True, slots=True)
class Key:
    """What names a request's session or is hashed."""

    kind: Literal["header", "cookie", "body"] = "header"
    name: str = "x-session-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings:
    """Which rule, and what the hashing ones hash."""

    name: RuleName = "adaptive"
    key: Key = Key()
    load_factor: float = 1.25
    num_shards: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Who may wait, and for how long."""

    max_waiting: int = 1000
    wait_seconds: float = 30.0
    priority_header: str = "x-priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """Active checks; none without a path."""

    path: str | None = None
    every_seconds: float = 5.0
    timeout_seconds: float = 2.0
    failures: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutSettings:
    """How long to wait for a backend: for its connection, and between two of its bytes."""

    connect_seconds: float = 3.0
    idle_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class WakeSettings:
    """The policy to wake at zero replicas; the namespace defaults to our own."""

    policy: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """One agent behind one prefix; `namespace` is where the agent and its policy are, if told."""

    agent: str
    source: Source
    namespace: str | None = None
    path: str = "/"
    host: str | None = None
    capacity: int | None = None
    rule: RuleSettings = RuleSettings()
    queue: QueueSettings = QueueSettings()
    health: HealthSettings = HealthSettings()
    ejection: Ejection = field(default_factory=Ejection)
    slow_start_seconds: float = 30.0
    timeouts: TimeoutSettings = TimeoutSettings()
    wake: WakeSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """One gateway.

    `exports` says which of the agent's own series are exported here: agents that embed the runtime
    kit count their requests themselves, and the operator adds up what it finds.
    """

    routes: tuple[RouteSettings, ...]
    listen: Address = Address("0.0.0.0", 8080)  # noqa: S104 - a pod is reached from outside
    admin: Address = Address("0.0.0.0", 9090)  # noqa: S104 - a pod is reached from outside
    exports: Literal["queue", "all"] = "queue"
    drain_delay_seconds: float = 5.0
    drain_limit_seconds: float = 60.0
