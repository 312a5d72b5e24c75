"""How many queries of its own a namespace may put in one pass. Pure.

All policies share the threads and the deadline of a pass: one namespace must not use them up.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.asks import Custom, Want, Wants

# Measured: a thousand queries, in unions, take Prometheus and us 0.4 s of a pass.
MOST_QUERIES: Final = 1000


def ration(wanted: Mapping[str, Wants], most: int = MOST_QUERIES) -> dict[str, Wants]:
    """Leave out the own queries of policies that come after their namespace's ration.

    The order is that of the policies' names, so that it is always the same ones.
    """
    taken: defaultdict[str, set[str]] = defaultdict(set)
    rationed = dict(wanted)
    for key in sorted(wanted):
        wants = wanted[key]
        own = {source.query for source in wants.sources() if isinstance(source, Custom)}
        if not own:
            continue
        used = taken[wants.agent[0]]
        if len(used | own) > most:
            rationed[key] = _without(wants, most)
        else:
            used |= own
    return rationed


def _without(wants: Wants, most: int) -> Wants:
    said = f"the policies of {wants.agent[0]} have more than {most} queries of their own"
    refused = Missing(Why.REFUSED, said)

    def left(want: Want) -> Want:
        return replace(want, source=refused) if isinstance(want.source, Custom) else want

    groups: dict[str, Any] = {each.name: getattr(wants, each.name) for each in fields(wants)}
    changed: dict[str, Any] = {
        name: {each: left(want) for each, want in group.items()}
        for name, group in groups.items()
        if isinstance(group, Mapping)
    }
    return replace(wants, **changed)
