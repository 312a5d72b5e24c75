"""The triggers of a ScaledObject: Prometheus, cron, CPU and memory; all others are named."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agentscaler.api.fields import Model
from agentscaler.api.problems import Path
from agentscaler.convert import fields, resources
from agentscaler.convert.draft import Draft
from agentscaler.convert.resources import Use
from agentscaler.errors import UnconvertibleError

_RESOURCES: Final = frozenset({"cpu", "memory"})
_RESOURCE_TYPES: Final = frozenset({"Utilization", "AverageValue"})
# Settings of a Prometheus trigger that go with the server, not with the query.
_OF_THE_SERVER: Final = {
    "authModes": "put the credentials into a Secret named by prometheus.authSecretRef",
    "customHeaders": "of all headers, only a tenant is sent: as key tenant of the Secret",
    "queryParameters": "a policy sends none",
    "unsafeSsl": "certificates are checked: put the authority as ca.crt into the Secret",
    "namespace": "queries see the policy's own namespace, unless the operator trusts it with more",
    "cortexOrgID": "put it as key tenant into a Secret named by prometheus.authSecretRef",
}


class AuthenticationRef(Model):
    """The credentials of a trigger."""

    name: str


class Trigger(Model):
    """One trigger; all its metadata are texts."""

    type: str
    name: str = ""
    metadata: Mapping[str, str] = {}
    metric_type: str = ""
    authentication_ref: AuthenticationRef | None = None


def add_all(draft: Draft, triggers: Sequence[Trigger], path: Path) -> None:
    """Add what the triggers measure; raise UnconvertibleError where nothing is left."""
    for index, trigger in enumerate(triggers):
        at = (*path, index)
        if trigger.type == "prometheus":
            _add_prometheus(draft, trigger, at)
        elif trigger.type == "cron":
            _add_schedule(draft, trigger, at)
        elif trigger.type in _RESOURCES:
            resources.add(draft, _use(trigger, at), at)
        else:
            sentence = f"type {trigger.type} cannot be translated: add a metric with a query of "
            draft.lose((*at, "type"), sentence + "what its exporter tells")
    if not draft.metrics:
        types = ", ".join(trigger.type for trigger in triggers) or "none given"
        raise UnconvertibleError(
            path, f"no trigger measures anything that a policy can query ({types})"
        )
    if {trigger.type for trigger in triggers} <= _RESOURCES | {"cron"}:
        resources.keep_one(draft, path)


def _add_prometheus(draft: Draft, trigger: Trigger, path: Path) -> None:
    given, inside = trigger.metadata, (*path, "metadata")
    for key in ("serverAddress", "query", "threshold"):
        if key not in given:
            raise UnconvertibleError((*inside, key), "is missing: a prometheus trigger needs it")
    server = draft.spec.setdefault("prometheus", {"serverAddress": given["serverAddress"]})
    if server["serverAddress"] != given["serverAddress"]:
        only = f"a policy reads one server, {server['serverAddress']}: put this one into another"
        draft.lose((*inside, "serverAddress"), f"{only} policy, or query a server that has both")
        return
    kind = "value" if trigger.metric_type == "Value" else "perReplica"
    amount = fields.amount_at(given["threshold"], (*inside, "threshold"))
    name = trigger.name or f"trigger-{path[-1]}"
    metric: dict[str, Any] = draft.add_metric(name, given["query"].strip(), **{kind: amount})
    if given.get("ignoreNullValues", "true").lower() == "true":
        metric["emptyResult"] = "Zero"
        draft.note(
            (*inside, "ignoreNullValues"),
            "an empty result stays zero, as by KEDA's default; without emptyResult: Zero it would "
            "be unknown, and a broken exporter could not empty the fleet",
        )
    _tell_prometheus(draft, trigger, path)


def _tell_prometheus(draft: Draft, trigger: Trigger, path: Path) -> None:
    given, inside = trigger.metadata, (*path, "metadata")
    draft.note((*inside, "serverAddress"), "has to be on the operator's list of allowed servers")
    activation = given.get("activationThreshold", "0")
    if activation.strip("0.") != "":
        draft.lose((*inside, "activationThreshold"), "any work wakes a fleet at zero")
    for key, sentence in _OF_THE_SERVER.items():
        if key in given:
            draft.lose((*inside, key), sentence)
    if trigger.authentication_ref is not None:
        draft.lose((*path, "authenticationRef"), _OF_THE_SERVER["authModes"])


def _add_schedule(draft: Draft, trigger: Trigger, path: Path) -> None:
    given, inside = trigger.metadata, (*path, "metadata")
    for key in ("timezone", "start", "end", "desiredReplicas"):
        if key not in given:
            raise UnconvertibleError((*inside, key), "is missing: a cron trigger needs it")
    draft.spec.setdefault("schedules", []).append(
        {
            "name": f"trigger-{path[-1]}",
            "timezone": given["timezone"],
            "start": given["start"].strip(),
            "end": given["end"].strip(),
            "minReplicas": _wished(draft, given["desiredReplicas"], (*inside, "desiredReplicas")),
        }
    )


def _wished(draft: Draft, written: str, path: Path) -> int:
    """Give the count of a cron trigger within KEDA's bounds, which a schedule would overrule."""
    count = fields.whole_at(written, path)
    low, high = draft.spec["minReplicas"], draft.spec["maxReplicas"]
    kept: int = min(max(count, low), high)
    if kept != count:
        bound = "maxReplicaCount" if count > high else "minReplicaCount"
        draft.note(path, f"{count} becomes {kept}, {bound}: in a policy a schedule overrules that")
    return kept


def _use(trigger: Trigger, path: Path) -> Use:
    given, inside = trigger.metadata, (*path, "metadata")
    if "value" not in given:
        raise UnconvertibleError((*inside, "value"), f"is missing: {trigger.type} needs it")
    container = given.get("containerName")
    if _resource_type(trigger, path) == "Utilization":
        return Use(trigger.type, container, fields.whole_at(given["value"], (*inside, "value")))
    amount = fields.amount_at(given["value"], (*inside, "value"))
    return Use(trigger.type, container, amount=amount)


def _resource_type(trigger: Trigger, path: Path) -> str:
    """Give the type of a resource's target: in percent or an amount, which nothing else tells."""
    # Before 2.18 KEDA had it among the metadata.
    kind = trigger.metric_type or trigger.metadata.get("type", "")
    if kind not in _RESOURCE_TYPES:
        wrong = f"{kind} is none that {trigger.type} can have" if kind else "is missing"
        choice = "write Utilization (percent of what is requested) or AverageValue"
        raise UnconvertibleError((*path, "metricType"), f"{wrong}: {choice}")
    return kind
