"""The forecast raises the floor to what will be needed when a replica asked for now is ready."""

from agentscaler.api.policy import PolicySpec, PredictionMode
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.decide import demand, reserve, work
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
    slots = _slots(policy.sizing, outlook, reserve.present(seen, memory))
    needed = work.replicas_for(slots, each)
    said = (
        f"{outlook.expected:.1f} slots expected in {format_duration(outlook.lookahead)}, "
        f"at most {outlook.upper:.1f}, need {needed} replicas"
    )
    if not outlook.trusted:
        return Step("forecast", wanted, wanted, "ForecastUntrusted", f"{said}; {outlook.message}")
    if policy.prediction.mode is PredictionMode.OBSERVE:
        return Step("forecast", wanted, wanted, "ForecastObserved", said)
    return Step("forecast", wanted, max(wanted, needed), "Forecast", said)


def _slots(sizing: Demand | Threshold, outlook: Outlook, kept: float | None) -> float:
    """Give the slots to be ready.

    With a learned reserve those that the upper load needs: the reserve learns how much of it is
    too much. Else those of the upper load, or of the expected one at the target share.
    """
    if isinstance(sizing, Threshold):
        return max(outlook.upper, outlook.expected / sizing.scale_up.utilization)
    if kept is None:
        return max(outlook.upper, outlook.expected / sizing.target_utilization)
    return demand.slots_for(sizing, outlook.upper, None, kept)
