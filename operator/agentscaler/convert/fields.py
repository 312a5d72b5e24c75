"""Read foreign fields; what cannot be read is refused with the field and the fix."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ValidationError

from agentscaler import quantities
from agentscaler.api.fields import Model
from agentscaler.api.problems import Path
from agentscaler.errors import UnconvertibleError

M = TypeVar("M", bound=Model)


def _amount(value: object) -> str:
    written = str(value)
    if quantities.parse_quantity(written) <= 0:
        raise ValueError("must be greater than 0")
    return written


Amount = Annotated[str, BeforeValidator(_amount)]
"""A Kubernetes quantity above zero, as it was written."""


def read(model: type[M], body: Mapping[str, Any]) -> M:
    """Read a manifest; raise UnconvertibleError for the first field that makes no sense."""
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        first = exc.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        raise UnconvertibleError(first["loc"], f"{said[0].lower()}{said[1:]}") from exc


def metadata_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the metadata of a manifest that was not read yet; nothing where they make no sense."""
    found = body.get("metadata")
    return found if isinstance(found, Mapping) else {}


def amount_at(text: str, path: Path) -> str:
    """Check a quantity that stands among texts, such as metadata of a trigger."""
    try:
        return _amount(text)
    except ValueError as exc:
        raise UnconvertibleError(path, str(exc)) from exc


def whole_at(text: str, path: Path) -> int:
    """Read a whole number, zero or greater, that stands among texts."""
    if not text.isdecimal():
        raise UnconvertibleError(path, f"{text!r} is no whole number")
    return int(text)


def duration_at(text: str, path: Path) -> timedelta:
    """Read a time span that stands among texts."""
    try:
        return quantities.parse_duration(text)
    except ValueError as exc:
        raise UnconvertibleError(path, str(exc)) from exc
