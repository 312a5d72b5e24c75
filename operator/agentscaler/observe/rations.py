"""How many questions a namespace may put to a server in one pass. Pure.

All policies share the threads and the deadline of a pass: one namespace must not use them up.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from dataclasses import fields, replace
from typing import Any, Final

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.asks import Question, Want, Wants, questions_of

# Measured: a thousand queries, in unions, take Prometheus and us 0.4 s of a pass.
MOST_QUESTIONS: Final = 1000


def ration(wanted: Mapping[str, Wants], most: int = MOST_QUESTIONS) -> dict[str, Wants]:
    """Leave out what policies ask beyond their namespace's ration.

    Queries and names of metrics alike count, each once. What other namespaces ask too, as all do
    of the default metrics, is granted first; after that the order is that of the policies' names,
    so that it is always the same ones.
    """
    asked: defaultdict[str, set[Question]] = defaultdict(set)
    for wants in wanted.values():
        asked[wants.agent[0]].update(wants.questions())
    askers = Counter(question for questions in asked.values() for question in questions)
    granted = {
        namespace: _shared(questions, askers, most)
        for namespace, questions in asked.items()
        if len(questions) > most
    }
    rationed = dict(wanted)
    for key in sorted(key for key, wants in wanted.items() if wants.agent[0] in granted):
        own, used = set(wanted[key].questions()), granted[wanted[key].agent[0]]
        if len(used | own) > most:
            rationed[key] = _without(wanted[key], own - used, most)
        else:
            used |= own
    return rationed


def _shared(questions: Set[Question], askers: Counter[Question], most: int) -> set[Question]:
    """Give what several namespaces ask, those first that most of them ask."""
    shared = [question for question in questions if askers[question] > 1]
    return set(sorted(shared, key=lambda each: (-askers[each], each.query))[:most])


def _without(wants: Wants, excess: Set[Question], most: int) -> Wants:
    said = f"the policies of {wants.agent[0]} ask more than {most} different questions"
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
