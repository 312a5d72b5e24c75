"""A namespace with very many queries keeps within its ration, and takes nothing from others."""

from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import asks, rations
from agentscaler.observe.asks import Custom, Wants
from tests.unit.observe.worlds import metric, policy


def wants(name: str, *queries: str, namespace: str = "agents") -> Wants:
    metrics = [metric(f"m{place}", query) for place, query in enumerate(queries)]
    return asks.wants_of(policy(name, namespace=namespace, metrics=metrics, demand={}))


def own(found: Wants) -> list[str]:
    return [each.query for each in found.sources() if isinstance(each, Custom)]


def test_policies_beyond_the_ration_lose_their_own_queries_only() -> None:
    wanted = {"agents/b": wants("b", "c", "d"), "agents/a": wants("a", "a", "b")}
    rationed = rations.ration(wanted, most=3)
    assert own(rationed["agents/a"]) == ["a", "b"]
    assert own(rationed["agents/b"]) == []
    refused = rationed["agents/b"].metrics["m0"].source
    assert isinstance(refused, Missing)
    assert refused.why is Why.REFUSED
    assert refused.detail == "the policies of agents have more than 3 queries of their own"
    assert rationed["agents/b"].signals == wanted["agents/b"].signals


def test_same_query_of_several_policies_counts_once() -> None:
    wanted = {f"agents/{name}": wants(name, "a") for name in "abc"}
    assert rations.ration(wanted, most=1) == wanted


def test_every_namespace_has_a_ration_of_its_own() -> None:
    wanted = {f"{name}/p": wants("p", f"q_{name}", namespace=name) for name in "abc"}
    assert rations.ration(wanted, most=1) == wanted


def test_policies_without_queries_of_their_own_are_left_alone() -> None:
    wanted = {"agents/a": wants("a"), "agents/b": wants("b", "x")}
    assert rations.ration(wanted, most=0)["agents/a"] == wanted["agents/a"]
