"""agentscaler analyze: name what holds agents back, and whether replicas would help."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from agentscaler.act import client, login, policies
from agentscaler.act.client import Api
from agentscaler.analyze import bottlenecks, recommendations
from agentscaler.analyze.bottlenecks import Diagnosis
from agentscaler.api.policy import Policy, parse_policy
from agentscaler.cli import authority
from agentscaler.clock import SystemClock
from agentscaler.control import diagnosing, placing
from agentscaler.errors import InvalidPolicyError
from agentscaler.observe import asks, profiles
from agentscaler.observe.observer import Observer
from agentscaler.observe.profiles import Profile
from agentscaler.observe.prometheus import Caller, Prometheus
from agentscaler.observe.sources import Settings, Sources
from agentscaler.observe.tenancy import TRUSTING
from agentscaler.report import status

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_CLOCK: Final = SystemClock()
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Analysis:
    """One policy with its diagnosis; without one, why there is none."""

    namespace: str
    name: str
    diagnosis: Diagnosis | None = None
    recommended: tuple[str, ...] = ()
    problem: str = ""


@click.command
@click.argument("name", required=False)
@click.option("-n", "--namespace", help="Namespace of the policies; default: the context's.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For people or for machines.",
)
@click.option("--kubeconfig", type=_FILE, help="Where the cluster is; default as for kubectl.")
@click.option(
    "--prometheus-url",
    envvar="AGENTSCALER_PROMETHEUS_URL",
    required=True,
    help="Prometheus that has the agents' metrics.",
)
@click.option("--prometheus-bearer-token-file", type=_FILE, help="File with a token for it.")
@click.option("--prometheus-ca-file", type=_FILE, help="Authority (PEM) of its certificate.")
@click.option("--prometheus-tenant", default="", help="Tenant, sent as X-Scope-OrgID.")
def command(name: str | None, namespace: str | None, **options: Any) -> None:
    """Name the bottleneck of the policy NAME, or of all policies of the namespace.

    Reads the policies and Prometheus, and changes nothing.
    """
    namespace = namespace or login.namespace(options["kubeconfig"])
    found = asyncio.run(_analyze(namespace, name, options))
    if options["output"] == "json":
        click.echo(json.dumps([_in_json(each) for each in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join("\n".join(_in_text(each)) for each in found) or _none(namespace))


async def _analyze(namespace: str, name: str | None, options: Mapping[str, Any]) -> list[Analysis]:
    api = await client.connect(options["kubeconfig"])
    try:
        bodies = await _fetch_policies(api, namespace, name)
        return await _ask(api, bodies, namespace, options)
    finally:
        await api.close()


async def _ask(
    api: Api, bodies: list[dict[str, Any]], namespace: str, options: Mapping[str, Any]
) -> list[Analysis]:
    credentials = authority.credentials_of(options)
    settings = Settings(options["prometheus_url"], credentials, tenancy=TRUSTING)
    sources, prometheus = Sources(settings, _CLOCK), Prometheus(settings.address, _CLOCK)
    try:
        caller = Caller(_CLOCK.monotonic() + _PATIENCE_SECONDS, credentials)
        found = await profiles.fetch(prometheus, caller, _CLOCK.now(), namespace)
        return await _judge(api, bodies, Observer(sources, settings, _CLOCK), found)
    finally:
        prometheus.close()
        sources.close()


async def _fetch_policies(api: Api, namespace: str, name: str | None) -> list[dict[str, Any]]:
    if name is None:
        return await policies.read_policies(api, namespace)
    return [await policies.read_policy(api, namespace, name)]


async def _judge(
    api: Api,
    bodies: Iterable[Mapping[str, Any]],
    observer: Observer,
    found: Mapping[tuple[str, str], Profile],
) -> list[Analysis]:
    analyses, valid = [], {}
    for body in bodies:
        metadata = body["metadata"]
        try:
            policy = _asking_here(parse_policy(body))
        except InvalidPolicyError as exc:
            problem = Analysis(metadata["namespace"], metadata["name"], problem=str(exc))
            analyses.append(problem)
        else:
            valid[policy.key] = policy, status.read(body.get("status")).status
    now = _CLOCK.now()
    seen = await observer.observe([policy for policy, _ in valid.values()], now=now)
    for key, (policy, recorded) in valid.items():
        profile = found.get(asks.agent_of(policy), Profile())
        situation = diagnosing.situation_of(policy, recorded, seen.readings[key], profile, now)
        if situation.is_stuck:
            situation = replace(situation, unscheduled=await placing.look_once(api, policy))
        told = bottlenecks.diagnose(situation)
        recommended = recommendations.recommend(situation, told)
        analyses.append(Analysis(policy.namespace, policy.name, told, recommended))
    return sorted(analyses, key=lambda each: each.name)


def _asking_here(policy: Policy) -> Policy:
    """Have a policy ask the server of the command line: secrets stay in the cluster."""
    plain = policy.spec.model_copy(update={"prometheus": type(policy.spec.prometheus)()})
    return policy.model_copy(update={"spec": plain})


def _in_json(each: Analysis) -> dict[str, Any]:
    head = {"namespace": each.namespace, "policy": each.name}
    told = each.diagnosis
    if told is None:
        return {**head, "problem": each.problem}
    return {
        **head,
        "verdict": told.verdict,
        "replicasHelp": told.help,
        "message": told.sentence,
        "subject": told.subject or None,
        "findings": [
            {"name": found.subject.name, "severity": found.severity, "message": found.sentence}
            for found in told.findings
        ],
        "recommendations": list(each.recommended),
    }


def _in_text(each: Analysis) -> Iterable[str]:
    told = each.diagnosis
    if told is None:
        yield f"{each.name} in {each.namespace}: cannot be followed: {each.problem}"
        return
    yield f"{each.name} in {each.namespace}: {told.verdict}; would replicas help: {told.help}"
    yield f"  {told.sentence}"
    yield from (f"  {found.severity}: {found.sentence}" for found in told.findings)
    yield from (f"  -> {line}" for line in each.recommended)


def _none(namespace: str) -> str:
    return f"there is no policy in {namespace}"
