"""The budget: what the replicas cost within a window, and what may still be added to them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from agentscaler.api.limits import Budget
from agentscaler.api.policy import PolicySpec
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.limits import Spend
from agentscaler.decide.snapshot import Snapshot
from agentscaler.quantities import format_quantity, format_time

_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# Beyond the soft limit: a tenth more, each five minutes.
_PAUSE: Final = timedelta(minutes=5)
_SHARE: Final = 10


def cap(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Slow growth beyond the soft limit, and end it beyond the hard one; never remove."""
    budget, known = policy.limits.budget, memory.limits.spend
    if budget is None or known is None or wanted <= seen.replicas.current:
        return None
    spent = cost(budget, known)
    if spent >= budget.hard:
        return _stop(wanted, budget, seen, spent)
    if budget.soft is None or spent < budget.soft:
        return None
    return _slow(wanted, budget, seen, memory, spent)


def _stop(wanted: int, budget: Budget, seen: Snapshot, spent: float) -> Step:
    current, until = seen.replicas.current, end_of_window(budget, seen.now)
    said = f"{money(spent)} is spent, and the hard limit is {format_quantity(budget.hard)}"
    hint = f"may grow from {until:%Y-%m-%d %H:%M:%S} UTC on, with the next budget"
    return Step("budget", wanted, current, "BudgetExhausted", said, hint=hint)


def _slow(wanted: int, budget: Budget, seen: Snapshot, memory: Memory, spent: float) -> Step | None:
    current, grew = seen.replicas.current, memory.last_up
    rests = grew is not None and timedelta(0) <= seen.now - grew < _PAUSE
    most = current if rests else current + max(1, current // _SHARE)
    if wanted <= most:
        return None
    said = f"{money(spent)} is spent, and the soft limit is {format_quantity(budget.soft or 0)}"
    hint = f"would be {wanted} without limits.budget.soft"
    if rests and grew is not None:
        hint = f"grows slowly: again from {format_time(grew + _PAUSE)} on"
    return Step("budget", wanted, most, "BudgetStrained", said, hint=hint)


def spend(budget: Budget, seen: Snapshot, memory: Memory) -> Spend:
    """Add the time since the last decision to the window's replica-hours.

    At the larger of the counts before and now: who budgets would rather stop early. That bridges
    gaps of any length, such as a restart.
    """
    start, now = start_of_window(budget, seen.now), seen.now
    before, count = memory.limits.spend, seen.replicas.current
    if before is None:
        return Spend(start, 0.0, now)
    spent = before.replica_hours if before.start == start else 0.0
    since = min(max(before.at, start), now)
    largest = max(count, memory.limits.replicas or 0)
    return Spend(start, spent + largest * ((now - since) / _HOUR), now)


def cost(budget: Budget, spent: Spend) -> float:
    """Price the replica-hours."""
    return spent.replica_hours * budget.replica_hour_cost


def projected(budget: Budget, spent: Spend, replicas: int) -> float:
    """Give what will be spent at the end of the window if the count stays."""
    left = (end_of_window(budget, spent.at) - spent.at) / _HOUR
    return cost(budget, spent) + replicas * left * budget.replica_hour_cost


def start_of_window(budget: Budget, now: datetime) -> datetime:
    """Give the begin of the window: windows follow each other since the begin of 1970."""
    return now - (now - _EPOCH) % budget.window


def end_of_window(budget: Budget, now: datetime) -> datetime:
    """Give the begin of the next window."""
    return start_of_window(budget, now) + budget.window


def money(amount: float) -> str:
    """Write an amount of money, to the hundredth."""
    return f"{amount:.2f}"
