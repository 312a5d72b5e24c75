"""The kinds of the Prometheus operator that the chart may make, with the fields it may use.

Written after the operator's public API reference (monitoring.coreos.com/v1). Only what is named
here is known, so a field that is misspelt in the chart is refused by the API server.
"""

from typing import Any

_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
# Prometheus' own form of a duration, as in the public schema.
_SPAN = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?"
    r"(([0-9]+)ms)?)$",
}


def _object(*required: str, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields} | (
        {"required": [*required]} if required else {}
    )


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_MONITOR = _object(
    "selector",
    "endpoints",
    selector=_object(matchLabels=_TEXTS),
    namespaceSelector=_object(any={"type": "boolean"}, matchNames=_list(_TEXT)),
    endpoints=_list(
        _object(
            port=_TEXT, path=_TEXT, interval=_SPAN, scrapeTimeout=_SPAN,
            honorLabels={"type": "boolean"},
        )
    ),
)  # fmt: skip
_RULE = _object(
    "expr",
    record=_TEXT,
    alert=_TEXT,
    expr={"x-kubernetes-int-or-string": True},
    labels=_TEXTS,
    annotations=_TEXTS,
    **{"for": _SPAN},
)
_RULES = _object(groups=_list(_object("name", name=_TEXT, interval=_SPAN, rules=_list(_RULE))))


def _kind(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    plural, group = f"{kind.lower()}s", "monitoring.coreos.com"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object("spec", spec=spec)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


KINDS = [_kind("ServiceMonitor", _MONITOR), _kind("PrometheusRule", _RULES)]
