"""One request to the API server, as data: a verb in the words of RBAC, a place, what goes along.

Pure: `client` sends it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from agentscaler import conventions
from agentscaler.act.places import Place

Body: TypeAlias = dict[str, Any]
Params: TypeAlias = Mapping[str, str]

JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
_WRITES: Final = {"create": "POST", "update": "PUT", "patch": "PATCH"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request in the words of RBAC: a verb and a place, and what goes with them.

    `manager` is who is noted as the writer of the fields that a write sets.
    """

    verb: str
    place: Place
    params: Params = field(default_factory=dict)
    body: Body | None = None
    accept: str = JSON
    content: str = JSON
    manager: str = conventions.FIELD_MANAGER

    @property
    def doing(self) -> str:
        return f"{self.verb} {self.place.what}"

    @property
    def writes(self) -> bool:
        return self.verb in _WRITES

    @property
    def method(self) -> str:
        return _WRITES.get(self.verb, "GET")

    @property
    def query(self) -> list[tuple[str, str]]:
        query = dict(self.params)
        if self.writes:
            query["fieldManager"] = self.manager
        if self.content == APPLY_PATCH:
            query["force"] = "true"
        return list(query.items())

    @property
    def headers(self) -> dict[str, str]:
        content = {"Content-Type": self.content} if self.writes else {}
        return {"Accept": self.accept, **content}
