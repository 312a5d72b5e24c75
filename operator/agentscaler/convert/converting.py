"""Find the objects that a policy can stand for, and convert each."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from agentscaler.analyze import linting
from agentscaler.api.policy import Mode
from agentscaler.api.problems import Path, write_path
from agentscaler.convert import fields, hpa, keda, knative
from agentscaler.convert.draft import Note
from agentscaler.errors import UnconvertibleError

_OTHER_VERSION: Final = "is not {wanted}: ask the API server for that version, {hint}"
_HINTS: Final = {
    hpa.KIND: "kubectl get hpa.v2.autoscaling NAME -o yaml",
    keda.KIND: "kubectl get scaledobject NAME -o yaml",
}
_KNOWN: Final = frozenset(
    {
        (hpa.KIND, "autoscaling"),
        (keda.KIND, "keda.sh"),
        *((kind, "serving.knative.dev") for kind in knative.KINDS),
    }
)
_CONFINED: Final = (
    "queries see only series of the policy's namespace, unless the operator shares more "
    "(docs/operating.md, Tenancy); others are not found, which emptyResult: Zero takes for zero"
)
_BESIDE: Final = (
    "in mode Recommend the policy may stand beside this object; delete this one before mode: Auto"
)


class Found(NamedTuple):
    """An object of another autoscaler, and where it stands in its document."""

    path: Path
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Name the object, also one that cannot be read."""
        return f"{self.body['kind']} {fields.metadata_of(self.body).get('name', '?')}"


class Conversion(NamedTuple):
    """A policy as a manifest, and how it differs from its source."""

    policy: dict[str, Any]
    notes: tuple[Note, ...]


def find(document: Any, path: Path = ()) -> Iterator[Found]:
    """Find what can be converted in a document, also within a List."""
    if not isinstance(document, Mapping):
        return
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        for index, item in enumerate(document["items"]):
            yield from find(item, (*path, "items", index))
    elif _is_known(document):
        yield Found(path, document)


def keeper_of(body: Mapping[str, Any], among: Iterable[Mapping[str, Any]]) -> str:
    """Name the ScaledObject among these that KEDA made an HPA for; "" where there is none."""
    owner = hpa.owner_of(body)
    if owner is None:
        return ""
    return next((str(owner[1]) for other in among if _scaled_object(other) == owner), "")


def convert(body: Mapping[str, Any], *, mode: Mode, now: datetime) -> Conversion:
    """Make a policy that the API server takes; raise UnconvertibleError naming the field."""
    kind, version = body["kind"], body.get("apiVersion")
    module = hpa if kind == hpa.KIND else keda if kind == keda.KIND else knative
    if version != module.API_VERSION:
        hint = _HINTS.get(kind, "kubectl get ksvc NAME -o yaml")
        raise UnconvertibleError(
            ("apiVersion",), _OTHER_VERSION.format(wanted=module.API_VERSION, hint=hint)
        )
    draft = module.convert(body)
    if draft.metrics:
        draft.note(("spec",), _CONFINED)
    if mode is Mode.RECOMMEND and module is not knative:
        draft.note((), _BESIDE)
    policy = draft.manifest(mode)
    _hold_to_the_rules(policy, now)
    return Conversion(policy, tuple(draft.notes))


def _is_known(document: Mapping[str, Any]) -> bool:
    kind, group = document.get("kind"), str(document.get("apiVersion", "")).partition("/")[0]
    return isinstance(kind, str) and (kind, group) in _KNOWN


def _scaled_object(body: Mapping[str, Any]) -> tuple[object, object] | None:
    """Give namespace and name of a ScaledObject."""
    metadata = fields.metadata_of(body)
    is_one = body["kind"] == keda.KIND
    return (metadata.get("namespace"), metadata.get("name")) if is_one else None


def _hold_to_the_rules(policy: dict[str, Any], now: datetime) -> None:
    """Refuse what the API server would: the source said it in some field of its own."""
    found = linting.check(policy, now=now, judge_query=lambda _query: "")
    errors = [each.problem for each in found if each.severity is linting.Severity.ERROR]
    if errors:
        at, said = write_path(errors[0].path), errors[0].sentence
        raise UnconvertibleError((), f"the policy would have no valid {at}: {said}")
