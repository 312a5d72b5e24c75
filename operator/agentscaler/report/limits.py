"""What is known of a policy's limits as its status keeps it: written, read back, told."""

from collections.abc import Iterator

from agentscaler.api.policy import PolicySpec
from agentscaler.api.status import BudgetStatus, CeilingStatus, LimitsStatus, PhantomStatus
from agentscaler.decide import budget
from agentscaler.decide.decision import Decision
from agentscaler.decide.limits import Ceiling, Learned, Spend, Still
from agentscaler.quantities import format_quantity
from agentscaler.report.wording import day


def written(policy: PolicySpec, decision: Decision) -> LimitsStatus | None:
    """Write what was learned; None where there is nothing to remember."""
    known = decision.memory.limits
    ceilings = tuple(
        CeilingStatus(
            provider=each.provider, replicas=each.replicas, step=each.step, since=each.since
        )
        for each in known.ceilings
    )
    spent, phantom = _budget(policy, known, decision.replicas), _phantom(known.still)
    if not ceilings and spent is None and phantom is None:
        return None
    return LimitsStatus(ceilings=ceilings, budget=spent, phantom=phantom)


def recalled(recorded: LimitsStatus | None, replicas: int | None) -> Learned:
    """Read back what was learned; `replicas` is the count that was recorded with it."""
    if recorded is None:
        return Learned(replicas=replicas)
    spent, phantom = recorded.budget, recorded.phantom
    return Learned(
        ceilings=tuple(
            Ceiling(each.provider, each.replicas, each.step, each.since)
            for each in recorded.ceilings
        ),
        spend=None if spent is None else Spend(spent.since, _number(spent), spent.as_of),
        still=None
        if phantom is None
        else Still(float(phantom.requests or 0), phantom.since, phantom=True),
        replicas=replicas,
    )


def told(known: LimitsStatus | None) -> Iterator[str]:
    """Tell what is known, a sentence for each limit."""
    if known is None:
        return
    for each in known.ceilings:
        yield (
            f"Limit: provider {each.provider} takes the calls of {each.replicas} replicas, as was "
            f"learned until {day(each.since)}."
        )
    if spent := known.budget:
        yield (
            f"Budget: {spent.spent} spent from {day(spent.since)} to {day(spent.as_of)}, "
            f"{spent.projected} at the end of the window if the count stays."
        )
    if phantom := known.phantom:
        yield (
            f"Phantoms: {phantom.requests} requests in service since {day(phantom.since)} do not "
            "count."
        )


def _number(spent: BudgetStatus) -> float:
    return float(spent.replica_hours or 0)


def _budget(policy: PolicySpec, known: Learned, replicas: int) -> BudgetStatus | None:
    plan, spend = policy.limits.budget, known.spend
    if plan is None or spend is None:
        return None
    return BudgetStatus(
        since=spend.start,
        as_of=spend.at,
        replica_hours=f"{spend.replica_hours:.4f}",
        spent=budget.money(budget.cost(plan, spend)),
        projected=budget.money(budget.projected(plan, spend, replicas)),
    )


def _phantom(still: Still | None) -> PhantomStatus | None:
    """Write what was found; a mere suspicion begins anew after a restart."""
    if still is None or not still.phantom:
        return None
    return PhantomStatus(requests=format_quantity(still.requests), since=still.since)
