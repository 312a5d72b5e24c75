"""A policy in the making, and notes on what it will do otherwise than what it is made from."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agentscaler.api.fields import Model
from agentscaler.api.policy import Mode
from agentscaler.api.problems import Path
from agentscaler.conventions import API_VERSION, KIND

_LONGEST_NAME: Final = 63


class Metadata(Model):
    """What of an object's metadata matters here."""

    name: str
    namespace: str | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Note:
    """A field of the source and what becomes of it; `lost` where nothing does."""

    path: Path
    sentence: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """The policy as far as it is written; it has the name and namespace of its source."""

    metadata: Metadata
    spec: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Give the custom metrics so far."""
        found: list[dict[str, Any]] = self.spec.get("metrics", [])
        return found

    def note(self, path: Iterable[str | int], sentence: str) -> None:
        """Tell that a field is kept in spirit, and how it differs."""
        self.notes.append(Note(tuple(path), sentence))

    def lose(self, path: Iterable[str | int], sentence: str) -> None:
        """Tell that a field has no counterpart."""
        self.notes.append(Note(tuple(path), sentence, lost=True))

    def add_metric(self, name: str, query: str, **target: str) -> dict[str, Any]:
        """Add a custom metric under a name that is free, and give it back."""
        metric = {"name": self._free(name), "query": query, "target": target}
        self.spec.setdefault("metrics", []).append(metric)
        return metric

    def manifest(self, mode: Mode) -> dict[str, Any]:
        """Write the policy as a manifest."""
        metadata = {"name": self.metadata.name}
        if self.metadata.namespace:
            metadata["namespace"] = self.metadata.namespace
        spec = {**self.spec, "mode": mode.value}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}

    def _free(self, wished: str) -> str:
        plain = re.sub("[^a-z0-9]+", "-", wished.lower())[: _LONGEST_NAME - 3].strip("-")
        taken = {metric["name"] for metric in self.metrics}
        names = [plain, *(f"{plain}-{number}" for number in range(2, len(taken) + 2))]
        return next(name for name in names if name not in taken)
