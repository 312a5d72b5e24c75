"""The CRD: what is committed is what the models make, and it is the dialect API servers take."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentscaler.api import crd
from agentscaler.api.structural import nodes_of

ROOT = Path(__file__).parents[2]
COPIES = ("crds/agentscalingpolicies.yaml", "helm/agentscaler/files/agentscalingpolicies.yaml")
NODES = dict(nodes_of(crd.resource_schema()))
SPEC = {path: node for path, node in NODES.items() if path.startswith(".spec")}


@pytest.mark.parametrize("copy", COPIES)
def test_committed_crd_is_what_the_models_make(copy: str) -> None:
    assert (ROOT / copy).read_text() == crd.render(), "run `make crds` and commit what it writes"


def test_crd_fits_into_an_annotation() -> None:
    """`kubectl apply` keeps the whole object in an annotation of at most 256 KiB."""
    assert len(crd.render()) < 200_000


@pytest.mark.parametrize("path", [path for path in NODES if path not in {"", ".metadata"}])
def test_node_is_described_typed_and_bounded(path: str) -> None:
    node: dict[str, Any] = dict(NODES[path])
    if not path.endswith(("[]", "{}")):
        assert node["description"].endswith((".", ")", "one.")), "a sentence"
    assert ("type" in node) != ("x-kubernetes-int-or-string" in node)
    assert not {"$ref", "title", "oneOf", "anyOf", "allOf", "const", "nullable"} & node.keys()
    bounds = {"string": {"maxLength", "enum"}, "array": {"maxItems"}, None: {"maxLength"}}
    if (kind := node.get("type")) in bounds:
        assert bounds[kind] & node.keys()
    if "additionalProperties" in node:
        assert "maxProperties" in node


def test_only_scalars_of_the_spec_have_defaults() -> None:
    with_default = {path: node["default"] for path, node in NODES.items() if "default" in node}
    assert with_default.keys() <= SPEC.keys()
    assert not [path for path, default in with_default.items() if isinstance(default, dict | list)]
    assert with_default[".spec.prediction.lookahead"] == "Auto"
    assert with_default[".spec.demand.scaleUp.maxStep"] == "100%"


def test_spec_has_no_floats() -> None:
    assert not [path for path, node in NODES.items() if node.get("type") == "number"]


def test_every_rule_says_what_to_do() -> None:
    rules = [
        (path, rule["message"])
        for path, node in SPEC.items()
        for rule in node.get("x-kubernetes-validations", ())
    ]
    assert rules
    assert not [path for path, message in rules if not message]


def test_columns_show_the_policy_in_one_line() -> None:
    version = yaml.safe_load(crd.render())["spec"]["versions"][0]
    columns = version["additionalPrinterColumns"]
    assert [each["name"] for each in columns if not each.get("priority")] == [
        "Target", "Min", "Max", "Current", "Desired", "Mode", "Reason", "Age",
    ]  # fmt: skip
    fields = [each["jsonPath"] for each in columns + version["selectableFields"]]
    assert {field for field in fields if not field.startswith(".metadata")} <= NODES.keys()


def test_status_is_held_as_a_whole() -> None:
    """A record of who holds each of its fields costs a quarter of each write."""
    assert crd.resource_schema()["properties"]["status"]["x-kubernetes-map-type"] == "atomic"
