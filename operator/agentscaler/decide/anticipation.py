"""The forecast raises the floor to what will be needed when a replica asked for now is ready."""

from agentscaler.api.policy import PolicySpec, PredictionMode
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.decide import work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Missing, Snapshot
from agentscaler.forecast.outlook import Outlook
from agentscaler.quantities import format_duration


def anticipate(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Raise, and only raise, to the forecast load, if the forecast may act and is trusted."""
    outlook = seen.outlook
    if outlook is None or policy.prediction.mode is PredictionMode.OFF or policy.sizing is None:
        return None
    each = work.slots_per_replica(policy, seen, memory)
    if isinstance(each, Missing):
        return None
    needed = work.replicas_for(_slots(policy.sizing, outlook), each)
    said = (
        f"{outlook.expected:.1f} slots expected in {format_duration(outlook.lookahead)}, "
        f"at most {outlook.upper:.1f}, need {needed} replicas"
    )
    if not outlook.trusted:
        return Step("forecast", wanted, wanted, "ForecastUntrusted", f"{said}; {outlook.message}")
    if policy.prediction.mode is PredictionMode.OBSERVE:
        return Step("forecast", wanted, wanted, "ForecastObserved", said)
    return Step("forecast", wanted, max(wanted, needed), "Forecast", said)


def _slots(sizing: Demand | Threshold, outlook: Outlook) -> float:
    """Give the slots to be ready: for the upper load, or the expected one at the target share."""
    return max(outlook.upper, outlook.expected / _target_share(sizing))


def _target_share(sizing: Demand | Threshold) -> float:
    if isinstance(sizing, Demand):
        return sizing.target_utilization
    return sizing.scale_up.utilization
