"""What is played: the load, its compressed day, and the names of the figures."""

from dataclasses import dataclass

from tests.bed.fleet import AgentConfig, Days, FleetConfig, Work

DAY_SECONDS = 180.0
HOUR_SECONDS = DAY_SECONDS / 24
PAST_DAYS = 5
SLOTS = 4
WAIT_TARGET = 3.0
# Pods need as long as 24 to 48 minutes of the compressed day: too long to wait for a ramp.
START_DELAY = (3.0, 6.0)
# At the latest; a drained pod goes at once.
STOP_DELAY = (15.0, 15.0)
LOAD = Days(
    peak=50,
    season=DAY_SECONDS,
    work=Work(mean=1.3, sigma=0.35, most=5),
    seed=2026,
    noise=0.06,
    burst_height=0.3,
)
DAWN, DUSK = 4.0, 22.0
# Enough for any day: the past was served without waiting.
PAST_REPLICAS = 40


@dataclass(frozen=True)
class Target:
    """The agent that is scaled, and its policy."""

    namespace: str
    deployment: str
    policy: str

    @property
    def key(self) -> tuple[str, str]:
        """Name it as the fleet does."""
        return self.namespace, self.deployment


def fleet_of(target: Target, epoch: float) -> FleetConfig:
    """Play the agent from `epoch` on, which is a midnight."""
    agent = AgentConfig(
        namespace=target.namespace,
        name=target.deployment,
        slots=SLOTS,
        wait_target=WAIT_TARGET,
        load=LOAD,
    )
    return FleetConfig(epoch=epoch, agents=(agent,), leave_when_drained=True)


def hour_of(at: float) -> float:
    """Tell the hour of the compressed day, 0 to 24."""
    return at % DAY_SECONDS / HOUR_SECONDS


def is_night(at: float) -> bool:
    """Tell whether the load is low, so that a day can begin."""
    return not DAWN <= hour_of(at) < DUSK


def time_of_day(at: float) -> str:
    """Write the time of the compressed day, such as "08:30"."""
    minutes = int(hour_of(at) * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
