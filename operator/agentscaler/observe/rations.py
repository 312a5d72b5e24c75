"""How many questions a namespace may put to a server in one pass. Pure.

All policies share the threads and the deadline of a pass: one namespace must not use them up.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields, replace
from itertools import accumulate
from typing import Any, Final

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.asks import Question, Want, Wants, questions_of
from agentscaler.observe.expressions import Grouped

# Measured: a thousand queries, in unions, take Prometheus and us 0.4 s of a pass.
MOST_COST: Final = 1000
# A name of a metric asks about all agents of the cluster, in a request of its own.
_COST_OF_ALL: Final = 10


def cost(questions: Iterable[Question]) -> int:
    """Tell what questions cost a server: a query of a user is one."""
    return sum(_COST_OF_ALL if isinstance(each, Grouped) else 1 for each in questions)


def ration(wanted: Mapping[str, Wants], most: int = MOST_COST) -> dict[str, Wants]:
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
        if cost(questions) > most
    }
    spent = {namespace: cost(questions) for namespace, questions in granted.items()}
    rationed = dict(wanted)
    for key in sorted(key for key, wants in wanted.items() if wants.agent[0] in granted):
        namespace = wanted[key].agent[0]
        new = set(wanted[key].questions()) - granted[namespace]
        if spent[namespace] + cost(new) > most:
            rationed[key] = _without(wanted[key], new, most)
        else:
            granted[namespace] |= new
            spent[namespace] += cost(new)
    return rationed


def _shared(questions: Set[Question], askers: Counter[Question], most: int) -> set[Question]:
    """Give what several namespaces ask, those first that most of them ask."""
    shared = [question for question in questions if askers[question] > 1]
    in_order = sorted(shared, key=lambda each: (-askers[each], each.query))
    costs = accumulate(cost([question]) for question in in_order)
    return {question for question, sum_ in zip(in_order, costs, strict=True) if sum_ <= most}


def _without(wants: Wants, excess: Set[Question], most: int) -> Wants:
    said = (
        f"the policies of {wants.agent[0]} ask too much together: {most} different queries at most,"
        f" and each metric that they name counts as {_COST_OF_ALL}"
    )
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
