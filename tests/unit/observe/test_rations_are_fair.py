"""A namespace with very many questions keeps within its ration, and takes nothing from others."""

from typing import Any

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import asks, rations
from agentscaler.observe.asks import Custom, Wants
from agentscaler.observe.expressions import Grouped
from agentscaler.observe.rations import cost
from tests.unit.observe.worlds import metric, policy


def wants(name: str, *queries: str, namespace: str = "agents", **spec: Any) -> Wants:
    metrics = [metric(f"m{place}", query) for place, query in enumerate(queries)]
    return asks.wants_of(policy(name, namespace=namespace, metrics=metrics, demand={}, **spec))


OTHERS = {"others/p": wants("p", namespace="others")}
"""Makes the default metrics a question of several namespaces, as it is everywhere."""
DEFAULT = cost(OTHERS["others/p"].questions())


def own(found: Wants) -> list[str]:
    return [each.query for each in found.sources() if isinstance(each, Custom)]


def test_policies_beyond_the_ration_lose_their_own_questions_only() -> None:
    wanted = OTHERS | {"agents/b": wants("b", "c", "d"), "agents/a": wants("a", "a", "b")}
    rationed = rations.ration(wanted, most=DEFAULT + 3)
    assert own(rationed["agents/a"]) == ["a", "b"]
    assert own(rationed["agents/b"]) == []
    refused = rationed["agents/b"].metrics["m0"].source
    assert isinstance(refused, Missing)
    assert refused.why is Why.REFUSED
    assert "the policies of agents ask too much together: 73 different" in refused.detail
    assert rationed["agents/b"].signals == wanted["agents/b"].signals


def test_policy_beyond_the_ration_keeps_what_is_asked_anyway() -> None:
    wanted = OTHERS | {"agents/a": wants("a", "a"), "agents/b": wants("b", "a", "b")}
    assert own(rations.ration(wanted, most=DEFAULT + 1)["agents/b"]) == ["a"]


def test_names_of_metrics_count_as_ten_queries() -> None:
    wanted = OTHERS | {
        f"agents/{name}": wants(name, signals={"queueDepth": {"metric": f"{name}_queue"}})
        for name in "abc"
    }
    rationed = rations.ration(wanted, most=DEFAULT + 9)
    asked = {
        each.query
        for key in wanted
        for each in rationed[key].sources()
        if isinstance(each, Grouped) and "_queue" in each.subject
    }
    assert len(asked) == 1 + 1  # and that of the default, which others ask as well
    assert rationed["others/p"] == wanted["others/p"]


def test_same_query_of_several_policies_counts_once() -> None:
    wanted = OTHERS | {f"agents/{name}": wants(name, "a") for name in "abc"}
    assert rations.ration(wanted, most=DEFAULT + 1) == wanted


def test_every_namespace_has_a_ration_of_its_own() -> None:
    wanted = {f"{name}/p": wants("p", f"q_{name}", namespace=name) for name in "abc"}
    assert rations.ration(wanted, most=DEFAULT + 1) == wanted


def test_what_several_namespaces_ask_counts_in_each_of_them() -> None:
    wanted = {f"{space}/p": wants("p", *"abcd", namespace=space) for space in ("one", "two")}
    rationed = rations.ration(wanted, most=DEFAULT + 2)
    assert all(cost(each.questions()) <= DEFAULT + 2 for each in rationed.values())


def test_policies_without_questions_of_their_own_are_left_alone() -> None:
    wanted = OTHERS | {"agents/a": wants("a"), "agents/b": wants("b", "x")}
    assert rations.ration(wanted, most=DEFAULT)["agents/a"] == wanted["agents/a"]
