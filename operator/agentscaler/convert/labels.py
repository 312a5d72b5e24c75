"""Label selectors as PromQL writes them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from agentscaler.api.fields import Model

_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Requirement(Model):
    """One expression of a label selector."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Model):
    """Which series of a metric are meant."""

    match_labels: Mapping[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()

    def matchers(self) -> list[str]:
        """Write the selector as matchers."""
        equal = [matcher(key, "=", value) for key, value in self.match_labels.items()]
        return [*equal, *(_matcher_of(each) for each in self.match_expressions)]


def is_metric(name: str) -> bool:
    """Tell a name that a series of Prometheus can have."""
    return _METRIC.fullmatch(name) is not None


def matcher(label: str, operator: str, value: str) -> str:
    """Write one matcher, with the value quoted; labels have no dots and dashes in Prometheus."""
    plain = re.sub("[^a-zA-Z0-9_]", "_", label)
    return f"{plain}{operator}{json.dumps(value, ensure_ascii=False)}"


def series(metric: str, matchers: Iterable[str]) -> str:
    """Write a selector of series."""
    inside = ",".join(matchers)
    return f"{metric}{{{inside}}}" if inside else metric


def _matcher_of(each: Requirement) -> str:
    if each.operator in {"Exists", "DoesNotExist"}:
        return matcher(each.key, "!=" if each.operator == "Exists" else "=", "")
    # A dot is the only sign of a label's value that means something else in an expression.
    listed = "|".join(value.replace(".", "[.]") for value in each.values)
    return matcher(each.key, "=~" if each.operator == "In" else "!~", listed)
