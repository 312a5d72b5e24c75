"""How many questions a namespace may put in one pass that nobody else asks. Pure.

All policies share the threads and the deadline of a pass: one namespace must not use them up.
"""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import fields, replace
from typing import Any, Final

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.asks import Question, Want, Wants, questions_of

# Measured: a thousand queries, in unions, take Prometheus and us 0.4 s of a pass.
MOST_QUESTIONS: Final = 1000


def ration(wanted: Mapping[str, Wants], most: int = MOST_QUESTIONS) -> dict[str, Wants]:
    """Leave out what policies ask beyond their namespace's ration.

    Queries and names of metrics alike count, where no other namespace asks the same. The order is
    that of the policies' names, so that it is always the same ones.
    """
    shared = _shared(wanted)
    taken: defaultdict[str, set[Question]] = defaultdict(set)
    rationed = dict(wanted)
    for key in sorted(wanted):
        wants = wanted[key]
        own = set(wants.questions()) - shared
        used = taken[wants.agent[0]]
        if len(used | own) > most:
            rationed[key] = _without(wants, own - used, most)
        else:
            used |= own
    return rationed


def _shared(wanted: Mapping[str, Wants]) -> set[Question]:
    """Give what several namespaces ask, as all do that use the default metrics."""
    first: dict[Question, str] = {}
    shared: set[Question] = set()
    for wants in wanted.values():
        for question in wants.questions():
            if first.setdefault(question, wants.agent[0]) != wants.agent[0]:
                shared.add(question)
    return shared


def _without(wants: Wants, excess: Set[Question], most: int) -> Wants:
    said = f"the policies of {wants.agent[0]} ask more than {most} questions of their own"
    refused = Missing(Why.REFUSED, said)

    def left(want: Want) -> Want:
        is_within = excess.isdisjoint(questions_of(want.source))
        return want if is_within else replace(want, source=refused)

    groups: dict[str, Any] = {each.name: getattr(wants, each.name) for each in fields(wants)}
    changed: dict[str, Any] = {
        name: {each: left(want) for each, want in group.items()}
        for name, group in groups.items()
        if isinstance(group, Mapping)
    }
    return replace(wants, **changed)
