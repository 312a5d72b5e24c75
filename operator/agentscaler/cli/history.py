"""Where `backtest` and `tune` find a policy and its past: the options they share."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from agentscaler.analyze import linting
from agentscaler.api.misfits import without_nulls
from agentscaler.api.policy import Policy, parse_policy
from agentscaler.api.signals import SignalName
from agentscaler.cli import authority, manifests
from agentscaler.cli.manifests import Manifest
from agentscaler.clock import SystemClock
from agentscaler.errors import UsageError
from agentscaler.observe import pasts
from agentscaler.observe.recorded import Recorder
from agentscaler.observe.sources import Settings, Sources
from agentscaler.observe.tenancy import TRUSTING
from agentscaler.quantities import parse_duration
from agentscaler.simulate import past
from agentscaler.simulate.backtest import Backtest, without_further
from agentscaler.simulate.past import Past, Recording

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_CLOCK: Final = SystemClock()


def _span(_context: click.Context, _option: click.Parameter, value: str | None) -> timedelta | None:
    """Read a time span as manifests have it."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def _instant(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """Read a moment in ISO 8601; without an offset in UTC."""
    try:
        moment = None if value is None else datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time: write it like 2026-03-02T08:00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


_OPTIONS: Final = (
    click.argument("file", metavar="FILE"),
    click.option("--policy", "name", help="Which policy, where FILE has several."),
    click.option("-n", "--namespace", help="Namespace of the policy, where FILE tells none."),
    click.option(
        "--prometheus-url",
        envvar="AGENTSCALER_PROMETHEUS_URL",
        help="Prometheus that has the past; default: the policy's spec.prometheus.serverAddress.",
    ),
    click.option("--prometheus-bearer-token-file", type=_FILE, help="File with a token for it."),
    click.option("--prometheus-ca-file", type=_FILE, help="Authority (PEM) of its certificate."),
    click.option("--prometheus-tenant", default="", help="Tenant, sent as X-Scope-OrgID."),
    click.option(
        "--since", callback=_span, default="7d", show_default=True, help="Length of the past."
    ),
    click.option("--from", "start", callback=_instant, help="Its begin, in place of --since."),
    click.option("--to", "end", callback=_instant, help="Its end; default: now."),
    click.option("--trace", type=_FILE, help="A CSV file of requests, in place of Prometheus."),
    click.option("--slots", type=click.IntRange(1), help="Requests that a replica serves at once."),
    click.option("--service-time", callback=_span, help="Mean time that a request takes."),
    click.option("--start-up", callback=_span, help="Median time until a new replica is ready."),
    click.option("--seed", default=1, show_default=True, help="Of the chance in the replay."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments that `read` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked about: a policy and its past."""

    policy: Policy
    manifest: Manifest
    backtest: Backtest


def read(given: Mapping[str, Any]) -> Subject:
    """Read the manifest and the past; raise UsageError, InvalidPolicyError or SourceError."""
    manifest = _manifest(given["file"], given["name"])
    policy = _policy(manifest, given["namespace"])
    spec = without_nulls(manifest.body.get("spec") or {})
    if given["trace"] is not None:
        found, spec = _of_trace(policy, given), without_further(spec)
    else:
        found = asyncio.run(_of_prometheus(policy, given))
    return Subject(policy, manifest, Backtest(spec, found, given["seed"]))


def _manifest(file: str, name: str | None) -> Manifest:
    found = [each for each in manifests.read_all((file,)) if linting.is_policy(each.body)]
    names = [each.name for each in found]
    chosen = [each for each, known in zip(found, names, strict=True) if name in {None, known}]
    if len(chosen) != 1:
        listed = ", ".join(map(str, names)) or "none"
        raise UsageError(f"{file}: say which AgentScalingPolicy with --policy; there is: {listed}")
    return chosen[0]


def _policy(manifest: Manifest, namespace: str | None) -> Policy:
    metadata = manifest.body.get("metadata") or {}
    head = {
        "namespace": metadata.get("namespace") or namespace or "default",
        "name": metadata.get("name") or "",
        "uid": "",
        "creationTimestamp": datetime.fromtimestamp(0, UTC),
    }
    return parse_policy({"metadata": head, "spec": manifest.body.get("spec")})


def _of_trace(policy: Policy, given: Mapping[str, Any]) -> Past:
    slots = given["slots"] or policy.spec.signals.capacity.per_replica
    if not slots:
        raise UsageError(
            "a trace does not tell how many requests a replica serves at once: give --slots, or "
            "set spec.signals.capacity.perReplica"
        )
    start: datetime | None = given["start"]
    return past.of_trace(
        given["trace"],
        slots=round(slots),
        start=past.MONDAY if start is None else start.timestamp(),
        start_up=_seconds(given["start_up"]) or past.USUAL_START,
        seed=given["seed"],
    )


async def _of_prometheus(policy: Policy, given: Mapping[str, Any]) -> Past:
    end = given["end"] or _CLOCK.now()
    start = given["start"] or end - given["since"]
    if start >= end:
        raise UsageError("--from is not before --to")
    asked, sources = _sources(policy, given)
    try:
        found = await pasts.fetch(asked, sources, _CLOCK, start=start, end=end)
        earlier = await Recorder(sources, TRUSTING, _CLOCK).fetch_history(
            [asked], now=found.start, span=policy.spec.prediction.history, step=found.step
        )
    finally:
        sources.close()
    slots = given["slots"] or policy.spec.signals.capacity.per_replica
    drawn = past.of_recording(
        _recording(found),
        slots=None if slots is None else round(slots),
        service=_seconds(given["service_time"]),
        start_up=_seconds(given["start_up"]),
        seed=given["seed"],
    )
    before = earlier.get(asked.key)
    if before is None:
        return drawn
    return replace(
        drawn,
        times=np.concatenate((before.times, drawn.times)),
        loads=np.concatenate((before.loads, drawn.loads)),
    )


def _sources(policy: Policy, given: Mapping[str, Any]) -> tuple[Policy, Sources]:
    """Give the server, and the policy as one that asks it: secrets stay in the cluster."""
    address = given["prometheus_url"] or policy.spec.prometheus.server_address
    if address is None:
        raise UsageError("say where the past is: --prometheus-url, or --trace with a file")
    credentials = authority.credentials_of(given)
    plain = policy.spec.model_copy(update={"prometheus": type(policy.spec.prometheus)()})
    asked = policy.model_copy(update={"spec": plain})
    return asked, Sources(Settings(address, credentials), _CLOCK)


def _recording(found: pasts.Found) -> Recording:
    signals, replicas = found.signals, found.replicas
    ready = replicas[pasts.Replicas.READY]
    exporting = replicas[pasts.Replicas.EXPORTING]
    return Recording(
        start=found.start.timestamp(),
        step=found.step.total_seconds(),
        active=signals[SignalName.ACTIVE_REQUESTS],
        queued=signals[SignalName.QUEUE_DEPTH],
        arriving=signals[SignalName.ARRIVAL_RATE],
        ending=signals[SignalName.COMPLETION_RATE],
        capacity=signals[SignalName.CAPACITY],
        asked=replicas[pasts.Replicas.ASKED],
        ready=exporting if np.isnan(ready).all() else ready,
        further=found.further,
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
