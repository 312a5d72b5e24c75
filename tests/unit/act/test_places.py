import pytest

from agentscaler.act.places import LEASES, SECRETS, Kind, Resource, group_path
from agentscaler.errors import NotFoundError

DEPLOYMENTS = Resource("apps/v1", "deployments")


def test_place_is_named_as_rbac_rules_name_it() -> None:
    place = DEPLOYMENTS.at("agents", "research", "scale")
    assert place.path == "/apis/apps/v1/namespaces/agents/deployments/research/scale"
    assert place.what == "deployments/scale"


def test_collection_of_the_cluster_and_of_a_namespace_differ() -> None:
    assert LEASES.at().path == "/apis/coordination.k8s.io/v1/leases"
    assert SECRETS.at("agents").path == "/api/v1/namespaces/agents/secrets"


@pytest.mark.parametrize("name", ["../secrets", "a/b", "a?b", "a#b", "a%2Fb"])
def test_name_cannot_leave_its_place(name: str) -> None:
    path = DEPLOYMENTS.at("agents", name).path
    assert path.startswith("/apis/apps/v1/namespaces/agents/deployments/")
    assert path.count("/") == DEPLOYMENTS.at("agents", "x").path.count("/")
    assert not {"?", "#"} & set(path)


@pytest.mark.parametrize("name", [".", ".."])
def test_name_that_would_climb_is_refused(name: str) -> None:
    with pytest.raises(NotFoundError, match="named"):
        DEPLOYMENTS.at("agents", name)


def test_group_without_a_name_is_refused() -> None:
    with pytest.raises(NotFoundError):
        group_path("apps/")


def test_kind_is_spoken_of_with_its_api() -> None:
    assert str(Kind("apps/v1", "Deployment")) == "Deployment (apps/v1)"
