"""Whether a policy may be decided on: what of the cluster stands in its way, if anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from agentscaler import conventions
from agentscaler.act.places import TargetKey
from agentscaler.act.rivals import Rivals
from agentscaler.act.targets import Targets
from agentscaler.act.workloads import NONE_OUTDATED, Target
from agentscaler.api.policy import Mode, Policy, ScaleTargetRef
from agentscaler.control.registry import Entry, Registry
from agentscaler.decide.snapshot import Replicas
from agentscaler.errors import ClusterError, ForbiddenError, NotFoundError, NotScalableError
from agentscaler.report import troubles
from agentscaler.report.events import Reference
from agentscaler.report.troubles import Trouble

# A foreign write is told for this long; each further one tells it anew.
_CONTEST: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Workable:
    """A policy with a target that nothing keeps from being scaled.

    `doubt` says so if that is not certain: another autoscaler may go unnoticed.
    """

    policy: Policy
    target: Target
    replicas: Replicas
    doubt: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A policy of which not enough is known at present; the status stays as it is."""

    why: str


Standing: TypeAlias = Workable | Trouble | Unknown


def reference_of(policy: Policy, target: Target) -> Reference:
    """Give the reference by which Events speak of a target."""
    ref = policy.spec.scale_target_ref
    return Reference(ref.api_version, ref.kind, policy.namespace, ref.name, target.uid)


def remarks(registry: Registry, body: Mapping[str, Any]) -> Iterator[str]:
    """Say of a policy that is about to be made whether an older one is on its target."""
    metadata, ref = body["metadata"], ScaleTargetRef.model_validate(body["spec"]["scaleTargetRef"])
    if registry.find(f"{metadata['namespace']}/{metadata['name']}") is None:
        for other in registry.on_target(TargetKey(metadata["namespace"], ref.kind, ref.name)):
            yield troubles.target_shared(other.name).message


class Judge:
    """Looks each policy up in what is known of the cluster.

    `manager` is the name under which our own writes are noted.
    """

    def __init__(
        self,
        registry: Registry,
        targets: Targets,
        rivals: Rivals,
        manager: str = conventions.FIELD_MANAGER,
    ) -> None:
        self._registry = registry
        self._targets = targets
        self._rivals = rivals
        self._manager = manager

    def judge(self, entry: Entry, now: datetime) -> Standing:
        """Tell whether the policy may be decided on, and if not, why."""
        policy = entry.policy
        if policy is None:
            return troubles.invalid_spec(entry.problems)
        owner = self._registry.owner(entry)
        if owner is not entry:
            return troubles.target_shared(owner.name)
        found = self._find(policy)
        if not isinstance(found, Target):
            return found
        obstacle, doubt = self._rivals_of(policy)
        if obstacle is not None:
            return obstacle
        replicas = _replicas(entry, found, policy, now)
        self._notice_foreign_write(entry, policy, found, replicas.current, now)
        return Workable(policy, found, replicas, doubt)

    def target(self, entry: Entry) -> Target | None:
        """Give the target of a policy, whatever stands in its way, if there is such a target."""
        found = None if entry.policy is None else self._find(entry.policy)
        return found if isinstance(found, Target) else None

    def reference(self, entry: Entry) -> Reference | None:
        """Give the reference to the target of a policy, if there is such a target."""
        found = self.target(entry)
        if entry.policy is None or found is None:
            return None
        return reference_of(entry.policy, found)

    def is_ours(self, target: Target) -> bool:
        """Tell whether nobody else is known to have written the count of a target.

        Our own write of zero leaves no trace: the API server notes no manager of it.
        """
        return target.writer is None or target.writer.manager == self._manager

    def _find(self, policy: Policy) -> Target | Trouble | Unknown:
        ref = policy.spec.scale_target_ref
        try:
            target = self._targets.find(policy.namespace, ref)
        except (NotFoundError, NotScalableError):
            return troubles.target_not_scalable(ref.api_version, ref.kind)
        except ForbiddenError as exc:
            return troubles.forbidden(str(exc))
        except ClusterError as exc:
            return Unknown(str(exc))
        return target or troubles.target_not_found(ref.kind, ref.name)

    def _rivals_of(self, policy: Policy) -> tuple[Trouble | Unknown | None, Trouble | None]:
        """Tell what other autoscalers keep the policy from, and what is doubtful about them."""
        # A policy that only recommends may stand beside another autoscaler, to be compared.
        if policy.spec.mode is not Mode.AUTO:
            return None, None
        ref = policy.spec.scale_target_ref
        if rivals := self._rivals.of(policy.namespace, ref.kind, ref.name):
            return troubles.other_autoscaler(*rivals[0]), None
        doubt = self._rivals.doubt(policy.namespace)
        if doubt is None:
            return None, None
        if doubt.passing:
            return Unknown(f"whether another autoscaler is on the target: {doubt.why}"), None
        return None, troubles.rivals_unknown(str(doubt.why))

    def _notice_foreign_write(
        self, entry: Entry, policy: Policy, target: Target, current: int, now: datetime
    ) -> None:
        expected, entry.replicas = entry.replicas, current
        if entry.contested_until is not None and now >= entry.contested_until:
            entry.contest = entry.contested_until = None
        if expected is None or expected == current or policy.spec.mode is not Mode.AUTO:
            return
        writer = target.writer.manager if target.writer else "somebody"
        if writer == self._manager:
            return
        ref = policy.spec.scale_target_ref
        entry.contest = troubles.contested(
            writer, target=f"{ref.kind}/{ref.name}", found=current, decided=expected
        )
        entry.contested_until = now + _CONTEST


def current_of(entry: Entry, target: Target, now: datetime) -> int:
    """Give the count that is asked for; right after our own change the watch tells of the last."""
    if entry.replicas is not None and entry.outdated.holds(target.resource_version, now):
        return entry.replicas
    entry.outdated = NONE_OUTDATED
    return target.replicas


def _replicas(entry: Entry, target: Target, policy: Policy, now: datetime) -> Replicas:
    """Give the counts.

    Of several revisions a controller removes some of each, whatever pods were chosen: to draining
    that is a rollout, also where it is paused or stuck.
    """
    current = current_of(entry, target, now)
    starting = max(0, current - target.ready)
    is_mixed = target.mixed and policy.spec.drain is not None
    rolling_out = target.rolling_out or is_mixed
    return Replicas(current, target.ready, starting, rolling_out, target.first_number)
