"""Rules that the API server and the operator both hold, with the same sentence for the author.

A rule is stated twice, as a CEL expression in the CRD and as a check of the model, because each
guards a different door: the API server refuses a manifest while its author looks on, the operator
meets what an older CRD let in. The sentence says what to write, for people read nothing else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import core_schema

VALIDATIONS = "x-kubernetes-validations"


class Rule(NamedTuple):
    """A CEL expression that must hold, what to say if it does not, and the field to blame."""

    expression: str
    sentence: str
    field: str = ""


def rules(*stated: Rule) -> dict[str, Any]:
    """Give rules in the form in which the CRD carries them."""
    return {VALIDATIONS: [_written(rule) for rule in stated]}


def _written(rule: Rule) -> dict[str, str]:
    written = {"rule": rule.expression, "message": rule.sentence}
    return {**written, "fieldPath": f".{rule.field}"} if rule.field else written


def matches(pattern: str) -> str:
    """Write the CEL expression for a text that matches `pattern`."""
    return f"self.matches(r'{pattern}')"


@dataclass(frozen=True, slots=True)
class Form:
    """A form that a text must have.

    A `pattern` of the schema would do as well, but the API server then shows the author a regular
    expression instead of the sentence.
    """

    pattern: str
    sentence: str

    @property
    def rule(self) -> Rule:
        """Give the form as a rule of the CRD."""
        return Rule(matches(self.pattern), self.sentence)

    def checked(self, text: str) -> str:
        """Give the text back, or raise ValueError with the sentence."""
        # Here `$` also matches before a last line break, at the API server it does not.
        if re.search(self.pattern, text) is None or text.endswith("\n"):
            raise ValueError(self.sentence)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), **rules(self.rule)}


@dataclass(frozen=True, slots=True)
class Keyed:
    """A list whose items have unique keys, at most so many: the API server merges them by key."""

    key: str
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {
            **handler(core),
            "maxItems": self.most,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [self.key],
        }

    def _checked(self, items: Sequence[Any]) -> Sequence[Any]:
        if len(items) > self.most:
            raise ValueError(f"must have at most {self.most} items")
        keys = [getattr(item, self.key) for item in items]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"{self.key} {key!r} is used twice: give each item its own")
        return items


def listed_by(key: str, *, most: int) -> Keyed:
    """Make a list a map keyed by `key`, with at most `most` items."""
    return Keyed(key, most)
