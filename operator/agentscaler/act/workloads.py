"""What the decision needs of a workload, taken from the object as the API server gives it. Pure.

Thousands of these are held in memory, so they hold as little as possible.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias

from agentscaler.act.definitions import ScalePaths, value_at
from agentscaler.act.managers import REPLICAS, FieldPath, Writer, last_writer
from agentscaler.act.scale import Scale

Body: TypeAlias = Mapping[str, Any]

_OPERATORS: Final = {"In": "in", "NotIn": "notin"}


@dataclass(frozen=True, slots=True)
class Target:
    """The workload of a policy: replicas asked for, ready, and of the newest revision.

    `rolling_out` is true while its controller replaces replicas and gets on with it; `mixed` while
    replicas of several revisions are there, as also a paused or stuck rollout leaves them. Numbered
    pods begin with `first_number`. Two targets that differ only in their version are equal: nothing
    happened that matters.
    """

    replicas: int
    ready: int
    updated: int
    rolling_out: bool
    mixed: bool
    selector: str
    uid: str
    resource_version: str = field(compare=False)
    writer: Writer | None
    first_number: int = 0


class Outdated(NamedTuple):
    """Versions of a target, the newest last, from before our own last change of its count."""

    versions: tuple[str, ...]
    until: datetime

    def holds(self, version: str, now: datetime) -> bool:
        """Tell whether a version is one of these or, until then, from before the last of them.

        The controllers may have written between those that we know. Versions are numbers that
        grow; where an API server gives something else no order is known, and where etcd was
        restored they begin again, so it may not count for ever.
        """
        if version in self.versions or now >= self.until:
            return version in self.versions
        last = self.versions[-1]
        return version.isdecimal() and last.isdecimal() and int(version) < int(last)


NONE_OUTDATED: Final = Outdated((), datetime.min.replace(tzinfo=UTC))


def read_plain(body: Body) -> Target:
    """Read an object of PLAIN_KINDS."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if "strategy" in spec:  # Deployments leave the number out while it is zero
        status = {"updatedReplicas": 0, **status}
    target = _target(
        {**body, "status": status},
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        rolling_out=not is_seen(body) or is_replacing(spec, status),
        selector=selector_text(spec.get("selector") or {}),
    )
    ordinals = spec.get("ordinals")
    return replace(target, first_number=ordinals.get("start", 0)) if ordinals else target


def read_scaled(body: Body, scale: Scale, path: FieldPath = REPLICAS) -> Target:
    """Read an object of any other kind, which keeps its count at `path`, beside its scale.

    Fields that Deployments have are used where the kind has them too. Without `readyReplicas`
    those that run have to pass for ready; without `updatedReplicas` no rollout is seen.
    """
    return _other(
        body, replicas=scale.replicas, running=scale.running, selector=scale.selector, path=path
    )


def read_custom(body: Body, paths: ScalePaths) -> Target:
    """Read an object of a kind that says where it keeps its counts, as `read_scaled` would.

    Where `/scale` would be refused, for there is no count, raise KeyError.
    """
    replicas = value_at(body, paths.replicas)
    if replicas is None:
        raise KeyError(".".join(paths.replicas))
    return _other(
        body,
        replicas=replicas,
        running=value_at(body, paths.running) or 0,
        selector=value_at(body, paths.selector) or "",
        path=tuple(f"f:{name}" for name in paths.replicas),
    )


def _other(body: Body, *, replicas: int, running: int, selector: str, path: FieldPath) -> Target:
    spec, status = body.get("spec") or {}, body.get("status") or {}
    return _target(
        body,
        replicas=replicas,
        ready=status.get("readyReplicas", running),
        rolling_out=not is_seen(body)
        or ("updatedReplicas" in status and is_replacing(spec, status)),
        selector=selector,
        path=path,
    )


def _target(
    body: Body,
    *,
    replicas: int,
    ready: int,
    rolling_out: bool,
    selector: str,
    path: FieldPath = REPLICAS,
) -> Target:
    metadata, status = body["metadata"], body.get("status") or {}
    return Target(
        replicas=replicas,
        ready=ready,
        updated=status.get("updatedReplicas", 0),
        rolling_out=rolling_out,
        mixed=is_mixed(status),
        selector=sys.intern(selector),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        writer=last_writer(metadata, path),
    )


def is_seen(body: Body) -> bool:
    """Tell whether the controller has seen the newest spec, as far as it says so at all."""
    # Argo Rollouts writes the number as a string.
    seen = str((body.get("status") or {}).get("observedGeneration", ""))
    return not seen.isdecimal() or int(seen) >= body["metadata"].get("generation", 0)


def is_mixed(status: Body) -> bool:
    """Tell whether removal would be shared out among replicas of several revisions.

    StatefulSets, which name revisions, take the last replica of all.
    """
    if "updateRevision" in status:
        return False
    return bool(status.get("updatedReplicas", inf) < status.get("replicas", 0))


def is_replacing(spec: Body, status: Body) -> bool:
    """Tell whether replicas of an old revision are being replaced.

    A rollout that is held on purpose (paused, OnDelete, a partition) or stuck beyond its deadline
    may stay so for days: it does not count, or such a workload would never shrink again.
    """
    strategy = spec.get("strategy") or spec.get("updateStrategy")
    if strategy is None or _is_held(spec, strategy, status):
        return False
    # StatefulSets name revisions; equal ones are done, whatever the counts still say.
    if "updateRevision" in status and status["updateRevision"] == status.get("currentRevision"):
        return False
    kept_back = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    return bool(status.get("updatedReplicas", 0) + kept_back < status.get("replicas", 0))


def _is_held(spec: Body, strategy: Body, status: Body) -> bool:
    if spec.get("paused") or strategy.get("type") == "OnDelete":
        return True
    return any(
        condition.get("type") == "Progressing" and condition.get("status") == "False"
        for condition in status.get("conditions") or ()
    )


def selector_text(selector: Body) -> str:
    """Write a label selector as list requests take it: "app=agent,tier in (a,b)"."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return _labels_text(selector)  # ReplicationControllers have bare labels
    parts = [_labels_text(selector.get("matchLabels") or {})]
    parts += [_requirement_text(rule) for rule in selector.get("matchExpressions") or ()]
    return ",".join(part for part in parts if part)


def _labels_text(labels: Body) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _requirement_text(rule: Body) -> str:
    match rule["operator"]:
        case "Exists":
            return str(rule["key"])
        case "DoesNotExist":
            return f"!{rule['key']}"
        case operator:
            return f"{rule['key']} {_OPERATORS[operator]} ({','.join(rule['values'])})"
