"""What in a manifest does not fit the schema: unknown fields and values of another type.

The models are lenient here, so that a newer CRD does not break an older operator; the API server
and the linter are not, for a misspelt field would silently do nothing.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from agentscaler.api.problems import Path, Problem
from agentscaler.api.rules import VALIDATIONS
from agentscaler.api.structural import Schema

_FITS: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": Mapping,
    "array": list,
}
_NAMES: Final[Mapping[str, str]] = {
    "string": "text in quotes",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
}


def misfits(value: Any, schema: Schema, path: Path = ()) -> Iterator[Problem]:
    """Find what the schema does not know; null is as good as absent."""
    if value is None:
        return
    if not _fits(value, schema):
        yield Problem(path, _wanted(value, schema))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from misfits(item, schema["items"], (*path, index))
    elif isinstance(value, Mapping):
        yield from _fields(value, schema, path)


def without_nulls(value: Any) -> Any:
    """Drop nulls as the API server does before it fills in defaults."""
    if isinstance(value, Mapping):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [without_nulls(part) for part in value]
    return value


def _fields(value: Mapping[str, Any], schema: Schema, path: Path) -> Iterator[Problem]:
    if "properties" not in schema:
        return  # metadata, which the API server knows better
    known = schema["properties"]
    for name, part in value.items():
        if name in known:
            yield from misfits(part, known[name], (*path, name))
        else:
            yield Problem((*path, name), f"unknown field{_meant(name, known)}")


def _meant(name: str, known: Mapping[str, Any]) -> str:
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(str(name).lower(), by_lower, n=1)
    return f": did you mean {by_lower[close[0]]}?" if close else ""


def _fits(value: Any, schema: Schema) -> bool:
    if "type" not in schema:
        return isinstance(value, int | str) and not isinstance(value, bool)
    wanted = _FITS[schema["type"]]
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))


def _wanted(value: Any, schema: Schema) -> str:
    if hints := [rule["message"] for rule in schema.get(VALIDATIONS, ())]:
        return f"{value!r} does not fit: {hints[0]}"
    return f"{value!r} does not fit: write {_NAMES[schema['type']]}"
