"""The chart's gateway: off by default, confined, with no more rights than its routes need."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentscaler.gateway import config
from agentscaler.gateway.settings import ServiceBackends, WakeSettings
from tests.bed.errors import BedError
from tests.bed.tools import Tool
from tests.contract.chart_values import GATEWAY, ROUTES, URL
from tests.contract.test_chart import CHART, one, render

ENABLED = {"gateway": GATEWAY}


def gateway_of(helm: Tool, folder: Path, **more: Any) -> list[dict[str, Any]]:
    """Render the chart and give the gateway's objects."""
    values = {"gateway": ENABLED["gateway"] | more}
    label = "app.kubernetes.io/component"
    found = render(helm, folder, values)
    return [each for each in found if each["metadata"]["labels"][label] == "gateway"]


def granted(objects: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    roles = [each for each in objects if each["kind"] == "Role"]
    return [(each["metadata"]["namespace"], rule) for each in roles for rule in each["rules"]]


def test_gateway_is_off_by_default(helm: Tool, tmp_path: Path) -> None:
    texts = [yaml.safe_dump(each) for each in render(helm, tmp_path, {})]
    assert not any("agentscaler-gateway" in text for text in texts)


def test_gateway_makes_its_objects(helm: Tool, tmp_path: Path) -> None:
    objects = gateway_of(helm, tmp_path)
    assert {each["kind"] for each in objects} == {
        "ConfigMap", "Deployment", "PodDisruptionBudget", "Role", "RoleBinding", "Service",
        "ServiceAccount", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    }  # fmt: skip
    alone = {each["kind"] for each in gateway_of(helm, tmp_path, replicas=1)}
    assert "PodDisruptionBudget" not in alone


def test_configuration_is_one_that_the_gateway_takes(helm: Tool, tmp_path: Path) -> None:
    text = one(gateway_of(helm, tmp_path), "ConfigMap")["data"]["gateway.yaml"]
    settings = config.parse(yaml.safe_load(text))
    assert (settings.listen.port, settings.admin.port) == (8080, 9090)
    assert [route.agent for route in settings.routes] == ["research", "writer", "coder"]
    assert settings.routes[0].source == ServiceBackends("research", "agents")


def test_pods_of_gateway_and_operator_are_told_apart(helm: Tool, tmp_path: Path) -> None:
    def selected(objects: list[dict[str, Any]]) -> dict[str, str]:
        labels: dict[str, str] = one(objects, "Deployment")["spec"]["selector"]["matchLabels"]
        return labels

    gateway = gateway_of(helm, tmp_path)
    pods = one(gateway, "Deployment")["spec"]["template"]["metadata"]["labels"]
    operator = selected(render(helm, tmp_path, {}))
    assert not operator.items() <= pods.items()
    assert selected(gateway).items() <= pods.items()
    assert one(gateway, "Service")["spec"]["selector"] == selected(gateway)


def test_pod_is_confined_and_has_time_to_drain(helm: Tool, tmp_path: Path) -> None:
    pod = one(gateway_of(helm, tmp_path), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 70, "drainDelay, drainLimit and a little"
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = pod["containers"][0]
    assert container["command"] == ["agentscaler", "gateway"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 8080, "admin": 9090,
    }  # fmt: skip
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}


def test_rights_are_those_of_the_routes(helm: Tool, tmp_path: Path) -> None:
    slices = {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["get", "list", "watch"],
    }
    wake = {
        "apiGroups": ["agentscaler.dev"],
        "resources": ["agentscalingpolicies"],
        "resourceNames": ["research-policy"],
        "verbs": ["patch"],
    }
    expected = [("agents", slices), ("agents", wake), ("system", slices)]
    assert sorted(granted(gateway_of(helm, tmp_path)), key=str) == sorted(expected, key=str)


def test_rights_are_where_the_route_says_that_its_agent_is(helm: Tool, tmp_path: Path) -> None:
    service = {"service": {"name": "research"}}
    route = {"agent": "r", "namespace": "ours", "backends": service, "wake": {"policy": "p"}}
    objects = gateway_of(helm, tmp_path, config={"routes": [route]})
    assert {namespace for namespace, _ in granted(objects)} == {"ours"}
    (read,) = config.parse({"routes": [route]}).routes
    assert read.source == ServiceBackends("research", "ours")
    assert read.wake == WakeSettings("p", "ours")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"config": {"routes": ROUTES, "drainLimit": "10m"}}, "set at least 610, for drainDelay"),
        (
            {"config": {"routes": ROUTES, "drainDelay": "1m30s", "drainLimit": "1h"}},
            "set at least 3695",
        ),
        ({"serviceAccount": {"create": False}}, "gateway.serviceAccount.name: name the account"),
    ],
    ids=["longer than the pod lives", "in hours", "an account that nobody makes"],
)
def test_values_that_contradict_each_other_are_refused(
    helm: Tool, tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(BedError, match=said):
        gateway_of(helm, tmp_path, **more)


def test_pod_may_be_given_as_long_as_its_requests_take(helm: Tool, tmp_path: Path) -> None:
    given = {"config": {"routes": ROUTES, "drainLimit": "10m"}}
    objects = gateway_of(helm, tmp_path, terminationGracePeriodSeconds=610, **given)
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 610


def test_nothing_is_granted_that_no_route_asks_for(helm: Tool, tmp_path: Path) -> None:
    objects = gateway_of(helm, tmp_path, config={"routes": ROUTES[2:]})
    assert granted(objects) == []
    assert not any(each["kind"].startswith("Validating") for each in objects)


def test_new_configuration_restarts_the_pods(helm: Tool, tmp_path: Path) -> None:
    def checksum(routes: list[dict[str, Any]]) -> str:
        objects = gateway_of(helm, tmp_path, config={"routes": routes})
        template = one(objects, "Deployment")["spec"]["template"]
        told: str = template["metadata"]["annotations"]["checksum/config"]
        return told

    assert checksum(ROUTES) != checksum(ROUTES[:2])


def test_gateway_is_scraped_when_asked_for(helm: Tool, tmp_path: Path) -> None:
    made = gateway_of(
        helm, tmp_path, serviceMonitor={"enabled": True, "labels": {"release": "prometheus"}}
    )
    monitor, service = one(made, "ServiceMonitor"), one(made, "Service")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    selected = monitor["spec"]["selector"]["matchLabels"]
    assert selected.items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["honorLabels"], "a route's series keep their own namespace"
    operator = one(render(helm, tmp_path, {}), "Service")
    assert not selected.items() <= operator["metadata"]["labels"].items()


def test_gateway_reaches_agents_and_is_reached_only_as_allowed(helm: Tool, tmp_path: Path) -> None:
    clients, scrapers, agents = (
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]
        for name in ("ingress", "monitoring", "agents")
    )
    rules = {
        "enabled": True, "clientsFrom": clients, "scrapersFrom": scrapers,
        "backendsTo": agents, "backendPorts": [8000],
    }  # fmt: skip
    made = gateway_of(helm, tmp_path, networkPolicy=rules)
    spec = one(made, "NetworkPolicy")["spec"]
    pod = one(made, "Deployment")["spec"]["template"]
    assert spec["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    named = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    let_in = {each["ports"][0]["port"]: each["from"] for each in spec["ingress"]}
    assert let_in == {"http": clients, "admin": scrapers}
    assert set(let_in) == named
    ports = [[port["port"] for port in each["ports"]] for each in spec["egress"]]
    assert ports == [[53, 53], [8000], [443, 6443]]
    assert [each.get("to") for each in spec["egress"]] == [None, agents, None]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"enabled": True}, "gateway.config.routes: name the agents"),
        ({"terminationGracePeriodSeconds": 30}, "/gateway/terminationGracePeriodSeconds"),
        ({"config": {"listen": "0.0.0.0:80"}}, "/gateway/config"),
        (
            {**ENABLED["gateway"], "networkPolicy": {"enabled": True}},
            "gateway.networkPolicy.backendPorts: name the ports",
        ),
        (
            {**ENABLED["gateway"], "podDisruptionBudget": {"minAvailable": "90%"}},
            "gateway.podDisruptionBudget.minAvailable: 90% keeps all of 2 replicas",
        ),
    ],
    ids=["no routes", "no time to drain", "another port", "no way to the agents", "no drains"],
)
def test_wrong_value_is_refused(
    helm: Tool, tmp_path: Path, values: dict[str, Any], said: str
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(URL | {"gateway": values}))
    with pytest.raises(BedError) as refused:
        helm("template", "agentscaler", CHART, "--values", file)
    assert said in str(refused.value)
