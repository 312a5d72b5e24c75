"""The chart renders, for every way it is meant to be installed, and grants no more than it must."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cryptography import x509

from agentscaler import __version__
from agentscaler.cli import run
from agentscaler.handlers.admission import PATH
from tests.bed.errors import BedError
from tests.bed.tools import Tool
from tests.contract.chart_values import URL, VALUES, WITH_GATEWAY

CHART = Path(__file__).parents[2] / "helm" / "agentscaler"
ALL_VALUES = VALUES | WITH_GATEWAY
USUAL = {"CustomResourceDefinition", "Deployment", "PodDisruptionBudget", "Role", "RoleBinding",
         "Service", "ServiceAccount"}  # fmt: skip


@pytest.fixture(params=VALUES, scope="module")
def objects(
    request: pytest.FixtureRequest, helm: Tool, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    return render(helm, tmp_path_factory.mktemp("chart"), VALUES[request.param])


def render(helm: Tool, folder: Path, values: dict[str, Any]) -> list[dict[str, Any]]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(URL | values))
    text = helm("template", "agentscaler", CHART, "--namespace", "system", "--values", file)
    return [each for each in yaml.safe_load_all(text) if each]


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [each for each in objects if each["kind"] == kind]
    assert len(found) == 1
    return found[0]


def rules(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in objects:
        if each["kind"] in {"Role", "ClusterRole"}:
            yield from each["rules"]


@pytest.mark.parametrize("values", ALL_VALUES.values(), ids=ALL_VALUES.keys())
def test_chart_passes_lint(helm: Tool, tmp_path: Path, values: dict[str, Any]) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(URL | values))
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "--values", file)


def test_chart_makes_its_objects(helm: Tool, tmp_path: Path) -> None:
    def kinds(values: dict[str, Any]) -> list[str]:
        return sorted(each["kind"] for each in render(helm, tmp_path, values))

    assert set(kinds({})) == USUAL | {"ClusterRole", "ClusterRoleBinding"}
    namespaced = kinds(VALUES["namespaced"])
    assert set(namespaced) == USUAL
    assert namespaced.count("Role") == 3, "one for the lease, one in each namespace"
    assert kinds(VALUES["alone"]) == ["Deployment", "Service"]


def test_objects_carry_the_common_labels(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        assert each["metadata"]["labels"]["app.kubernetes.io/name"] in {"agentscaler", "scaler"}
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_pod_is_confined(objects: list[dict[str, Any]]) -> None:
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = pod["containers"][0]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    env = {each["name"] for each in container["env"]}
    assert {"POD_NAME", "POD_NAMESPACE", "POD_ID", "HOME"} <= env
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}


def test_pod_is_probed_where_it_listens(objects: list[dict[str, Any]]) -> None:
    container = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"][0] == {"name": "http", "containerPort": 8080}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    targets = [
        port["targetPort"]
        for each in objects
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    ]
    assert targets == [port["name"] for port in container["ports"]]


def test_webhook_asks_where_the_pods_answer(helm: Tool, tmp_path: Path) -> None:
    objects = render(helm, tmp_path, {"webhook": {"enabled": True}})
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    (hook,) = one(objects, "ValidatingWebhookConfiguration")["webhooks"]
    asked = hook["clientConfig"]["service"]
    (service,) = [
        each
        for each in objects
        if each["kind"] == "Service" and each["metadata"]["name"] == asked["name"]
    ]
    assert (hook["failurePolicy"], asked["path"]) == ("Ignore", PATH)
    assert service["spec"]["ports"][0]["targetPort"] in {
        each["name"] for each in pod["containers"][0]["ports"]
    }
    secret = one(objects, "Secret")
    certificate = x509.load_pem_x509_certificate(b64decode(secret["data"]["tls.crt"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"{asked['name']}.{asked['namespace']}.svc" in names.get_values_for_type(x509.DNSName)
    authority = b64decode(hook["clientConfig"]["caBundle"])
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    assert secret["metadata"]["name"] in {
        each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("shards=3,replicas=2", "replicas: set at least 3, one for each of the shards"),
        ("webhook.enabled=true,webhook.certificate.secretName=mine", "caBundle: give the auth"),
        ("webhook.enabled=true,webhook.certificate.caBundle=Yg==", "secretName: name the Secret"),
        (
            "replicas=3,podDisruptionBudget.minAvailable=3",
            "podDisruptionBudget.minAvailable: 3 keeps all of 3 replicas",
        ),
        (
            "webhook.enabled=true,webhook.failurePolicy=Fail,replicas=0",
            "webhook.failurePolicy: Fail lets no policy be stored",
        ),
        (
            "podDisruptionBudget.minAvailable=60%",
            "podDisruptionBudget.minAvailable: 60% keeps all of 2 replicas",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(helm: Tool, values: str, said: str) -> None:
    with pytest.raises(BedError, match=said):
        helm("template", "x", CHART, "--set", f"prometheus.url=http://p:9090,{values}")


def test_drains_leave_a_replica_for_each_shard(helm: Tool, tmp_path: Path) -> None:
    budget = one(render(helm, tmp_path, {"shards": 3, "replicas": 4}), "PodDisruptionBudget")
    assert budget["spec"]["minAvailable"] == 3


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"replicas": 5, "podDisruptionBudget": {"minAvailable": "60%"}}, "60%"),
        ({"replicas": 5, "podDisruptionBudget": {"minAvailable": 4}}, 4),
        ({"replicas": 5, "shards": 4, "podDisruptionBudget": {"minAvailable": "60%"}}, 4),
        ({"replicas": 5, "shards": 3, "podDisruptionBudget": {"minAvailable": "60%"}}, "60%"),
        ({"replicas": 5, "podDisruptionBudget": {"minAvailable": "0%"}}, 1),
    ],
    ids=["a percentage", "a number", "fewer than the shards", "as many as the shards", "none"],
)
def test_drains_leave_what_the_budget_says(
    helm: Tool, tmp_path: Path, values: dict[str, Any], kept: object
) -> None:
    budget = one(render(helm, tmp_path, values), "PodDisruptionBudget")
    assert budget["spec"]["minAvailable"] == kept


def test_rights_name_what_they_grant(objects: list[dict[str, Any]]) -> None:
    for rule in rules(objects):
        for words in (rule["apiGroups"], rule["resources"], rule["verbs"]):
            assert not any("*" in word for word in words)


def test_scaled_objects_are_not_looked_for_without_the_right(helm: Tool, tmp_path: Path) -> None:
    for enabled in (True, False):
        objects = render(helm, tmp_path, {"keda": {"enabled": enabled}})
        (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
        assert ("--no-keda" not in container["args"]) is enabled
        granted = {each for rule in rules(objects) for each in rule["resources"]}
        assert ("scaledobjects" in granted) is enabled


def test_rights_are_the_least(helm: Tool, tmp_path: Path) -> None:
    writes = {
        (resource, verb)
        for rule in rules(render(helm, tmp_path, {}))
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in {"get", "list", "watch"}
    }
    assert writes == {
        ("agentscalingpolicies/status", "patch"),
        ("deployments/scale", "patch"),
        ("statefulsets/scale", "patch"),
        ("events", "create"),
        ("events", "patch"),
        ("leases", "create"),
        ("leases", "update"),
    }


@pytest.mark.parametrize(
    ("resource", "values", "verbs"),
    [
        ("secrets", "secured", ["get"]),
        ("pods", "draining", ["list", "patch"]),
        ("customresourcedefinitions", "other-targets", ["get"]),
    ],
)
def test_what_is_special_is_granted_only_where_it_is_asked_for(
    helm: Tool, tmp_path: Path, resource: str, values: str, verbs: list[str]
) -> None:
    def granted(values: dict[str, Any]) -> list[list[str]]:
        found = rules(render(helm, tmp_path, values))
        return [rule["verbs"] for rule in found if resource in rule["resources"]]

    assert granted({}) == []
    assert granted(VALUES[values]) == [verbs]


def test_values_reach_the_command_line(helm: Tool, tmp_path: Path) -> None:
    def arguments(values: dict[str, Any]) -> list[str]:
        pod = one(render(helm, tmp_path, values), "Deployment")["spec"]["template"]["spec"]
        given: list[str] = pod["containers"][0]["args"]
        return given

    plain = ["--lease-namespace=system", "--lease-name=agentscaler-leader",
             "--listen=0.0.0.0:8080", "--api-rate=200", "--log-level=info",
             "--log-format=json"]  # fmt: skip
    url = "--prometheus-url=http://prometheus.monitoring:9090"
    assert arguments({}) == [url, *plain]
    assert arguments(VALUES["namespaced"]) == [
        url, "--namespace=agents", "--namespace=research", *plain,
    ]  # fmt: skip
    assert arguments(VALUES["secured"]) == [
        url,
        "--prometheus-bearer-token-file=/etc/agentscaler/prometheus-token/token",
        "--prometheus-ca-file=/etc/agentscaler/prometheus-ca/ca.crt",
        "--prometheus-tenant=team-a|team-b",
        "--allow-server=https://thanos.legal:9090",
        "--trust-namespace=*",
        "--share-namespace=rabbitmq",
        *plain,
    ]


def test_command_line_takes_every_argument_of_the_chart(objects: list[dict[str, Any]]) -> None:
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    given = {argument.partition("=")[0] for argument in pod["containers"][0]["args"]}
    assert given <= {
        option for each in run.command.params for option in (*each.opts, *each.secondary_opts)
    }


def test_extras_are_made_only_when_asked_for(helm: Tool, tmp_path: Path) -> None:
    plain = {each["kind"] for each in render(helm, tmp_path, {})}
    monitored = {each["kind"] for each in render(helm, tmp_path, VALUES["monitored"])}
    assert monitored - plain == {"ServiceMonitor", "PrometheusRule", "ConfigMap", "NetworkPolicy"}


def test_monitoring_is_as_the_values_say(helm: Tool, tmp_path: Path) -> None:
    made = render(helm, tmp_path, VALUES["monitored"])
    monitor, service = one(made, "ServiceMonitor"), one(made, "Service")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    rules = one(made, "PrometheusRule")["spec"]["groups"][0]["rules"]
    links = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in rules}
    assert links == {"https://wiki.example/agentscaler"}
    assert "{{ $labels.policy }}" in rules[-1]["annotations"]["summary"]
    dashboard = json.loads(one(made, "ConfigMap")["data"]["agentscaler.json"])
    assert dashboard == json.loads((CHART / "files" / "dashboard.json").read_text())


def test_network_policy_covers_the_pods_and_what_they_need(helm: Tool, tmp_path: Path) -> None:
    made = render(helm, tmp_path, VALUES["monitored"])
    spec = one(made, "NetworkPolicy")["spec"]
    pod = one(made, "Deployment")["spec"]["template"]
    assert spec["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    ports = [[port["port"] for port in each["ports"]] for each in spec["egress"]]
    assert ports == [[53, 53], [443, 6443], [80, 443, 9090]]
    assert spec["ingress"][0]["from"] == [{"namespaceSelector": {}}]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == {"matchLabels": spec["podSelector"]["matchLabels"]}


@pytest.mark.parametrize(
    ("servers", "ports"),
    [
        ({"url": "http://thanos:10902"}, [9, 10902]),
        ({"url": "http://thanos"}, [9, 80]),
        ({"url": "https://[fd00::7]/api"}, [9, 443]),
        ({"url": "http://[fd00::7]:81/api"}, [9, 81]),
        (URL["prometheus"] | {"allowedServers": ["https://a.legal:8443/mimir", "http://b:9009"]},
         [9, 9090, 8443, 9009]),
    ],
    ids=["its own port", "that of http", "that of https", "an address", "servers of policies"],
)  # fmt: skip
def test_network_policy_lets_out_to_every_server_that_is_named(
    helm: Tool, tmp_path: Path, servers: dict[str, Any], ports: list[int]
) -> None:
    policy = {"enabled": True, "prometheusPorts": [9]}
    made = render(helm, tmp_path, {"prometheus": servers, "networkPolicy": policy})
    let_out = one(made, "NetworkPolicy")["spec"]["egress"][-1]
    assert [port["port"] for port in let_out["ports"]] == ports


def test_crd_stays_when_the_release_goes(helm: Tool, tmp_path: Path) -> None:
    kept = one(render(helm, tmp_path, {}), "CustomResourceDefinition")
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    loose = render(helm, tmp_path, {"crds": {"enabled": True, "keep": False}})
    assert "annotations" not in one(loose, "CustomResourceDefinition")["metadata"]
    copy = yaml.safe_load((CHART / "files" / "agentscalingpolicies.yaml").read_text())
    assert kept["spec"] == copy["spec"]


def test_address_of_prometheus_is_asked_for(helm: Tool) -> None:
    with pytest.raises(BedError, match=r"prometheus\.url: set the address"):
        helm("template", "agentscaler", CHART)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("replicaz=3", "'replicaz' not allowed"),
        ("logLevel=loud", "'debug', 'info'"),
        ("scaleTargets[0].apiGroup=apps,scaleTargets[0].resource=*", "/scaleTargets/0/resource"),
        ("prometheus.url=prometheus:9090", "/prometheus/url"),
        ("podDisruptionBudget.minAvailable=most", "/podDisruptionBudget/minAvailable"),
    ],
)
def test_wrong_value_is_refused(helm: Tool, values: str, said: str) -> None:
    with pytest.raises(BedError) as refused:
        helm("template", "agentscaler", CHART, "--set", values)
    assert said in str(refused.value)


def test_every_value_is_described() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)

    def silent(node: dict[str, Any], path: str) -> Iterator[str]:
        for name, part in node.get("properties", {}).items():
            if not part.get("description"):
                yield f"{path}.{name}"
            yield from silent(part, f"{path}.{name}")
        if "items" in node:
            yield from silent(node["items"], f"{path}[]")

    assert list(silent(schema, "")) == []
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values.keys() | {"global"} == schema["properties"].keys()


def test_every_value_is_tried() -> None:
    def given(values: dict[str, Any], path: str = "") -> Iterator[str]:
        for name, value in values.items():
            yield f"{path}.{name}"
            if isinstance(value, dict):
                yield from given(value, f"{path}.{name}")

    def known(node: dict[str, Any], path: str = "") -> Iterator[str]:
        for name, part in node.get("properties", {}).items():
            yield f"{path}.{name}"
            yield from known(part, f"{path}.{name}")

    schema = json.loads((CHART / "values.schema.json").read_text())
    tried = {path for values in ALL_VALUES.values() for path in given(URL | values)}
    assert set(known(schema)) - tried == set()


def test_chart_has_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
