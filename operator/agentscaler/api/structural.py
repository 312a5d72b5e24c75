"""Turn a pydantic model into a structural schema, the dialect of OpenAPI that the API server takes.

Structural means: nothing is referenced, every node has a type, no node says "one of". What has no
structural form is refused here, long before an API server would.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from agentscaler.api.rules import VALIDATIONS

Schema = Mapping[str, Any]

_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
# Kept, in the order in which a person reads a node; what describes its parts comes last.
_KEPT: Final = (
    "description", "type", _INT_OR_STRING, "format", "enum", "default", "minimum",
    "exclusiveMinimum", "maximum", "exclusiveMaximum", "minLength", "maxLength", "minItems",
    "maxItems", "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    VALIDATIONS,
)  # fmt: skip
_PARTS: Final = ("required", "properties", "items", "additionalProperties")
_DROPPED: Final = frozenset({"title", "examples", "$defs"})


def schema_of(model: type[BaseModel], *, defaults: bool) -> dict[str, Any]:
    """Give the structural schema of a model, fields in its order.

    With `defaults` the API server fills in defaults of scalars. Those of objects and lists stay
    away from manifests: an object that the user did not write is no choice of the user's.
    """
    # Serialization, since only there pydantic writes defaults as manifests do ("5m", "70%").
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    return _node(_resolved(schema, schema.get("$defs", {})), model.__name__, defaults=defaults)


def nodes_of(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Walk a structural schema: every node with its path, such as ".spec.metrics[].name"."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes_of(part, f"{path}.{name}")
    if "items" in schema:
        yield from nodes_of(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes_of(schema["additionalProperties"], f"{path}{{}}")


def _resolved(schema: Any, definitions: Schema) -> Any:
    """Put what is referenced in the place of the reference; what stands beside it wins."""
    if isinstance(schema, list):
        return [_resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    beside = {key: _resolved(part, definitions) for key, part in schema.items() if key != "$ref"}
    if "$ref" not in schema:
        return beside
    name = schema["$ref"].rpartition("/")[2]
    return {**_resolved(definitions[name], definitions), **beside}


def _node(schema: Schema, path: str, *, defaults: bool) -> dict[str, Any]:
    schema = _bounded(_without_null(schema, path))
    if "type" not in schema and _INT_OR_STRING not in schema:
        raise TypeError(f"{path}: no type")
    if unknown := schema.keys() - {*_KEPT, *_PARTS, *_DROPPED}:
        raise TypeError(f"{path}: no structural form of {', '.join(sorted(unknown))}")
    kept = {key: schema[key] for key in _KEPT if key in schema}
    if "description" in kept:  # a docstring is wrapped for this source, not for a terminal
        kept["description"] = " ".join(kept["description"].split())
    if not defaults or not _is_scalar(kept.get("default")):
        kept.pop("default", None)
    return kept | _parts(schema, path, defaults=defaults)


def _parts(schema: Schema, path: str, *, defaults: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if "required" in schema:
        parts["required"] = schema["required"]
    if "properties" in schema:
        parts["properties"] = {
            name: _node(part, f"{path}.{name}", defaults=defaults)
            for name, part in schema["properties"].items()
        }
    for name in ("items", "additionalProperties"):
        if name in schema:
            parts[name] = _node(schema[name], f"{path}.{name}", defaults=defaults)
    return parts


def _without_null(schema: Schema, path: str) -> Schema:
    """Make "X or null" an X: an absent field is the only null a manifest needs."""
    if "anyOf" not in schema:
        return schema
    choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    if len(choices) != 1:
        raise TypeError(f"{path}: no structural form of a choice between types")
    return {**choices[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _bounded(schema: Schema) -> Schema:
    """Write an exclusive bound as OpenAPI 3.0 does: the bound, and that it is exclusive."""
    written = dict(schema)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in schema:
            written |= {bound: schema[exclusive], exclusive: True}
    return written


def _is_scalar(default: object) -> bool:
    """Tell a default that says something: not absent, not empty, no object and no list."""
    return isinstance(default, str | int | bool) and default != ""
