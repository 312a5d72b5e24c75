"""agentscaler lint: check manifests before they are applied."""

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

import click

from agentscaler import promql
from agentscaler.analyze import linting
from agentscaler.analyze.linting import Finding, Severity
from agentscaler.api.problems import write_path
from agentscaler.cli import manifests
from agentscaler.cli.manifests import Manifest
from agentscaler.clock import SystemClock

_FOUND: Final = 1
_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@dataclass(frozen=True, slots=True)
class _Located:
    manifest: Manifest
    finding: Finding

    @property
    def line(self) -> int:
        return self.manifest.line_of(self.finding.problem.path)

    def in_text(self) -> str:
        severity, problem = self.finding
        level = click.style(severity, fg=_COLORS[severity])
        return f"{self.manifest.source}:{self.line}: {level}: {problem}"

    def in_json(self) -> dict[str, Any]:
        severity, problem = self.finding
        return {
            "file": self.manifest.source,
            "line": self.line,
            "policy": self.manifest.name,
            "severity": severity,
            "field": write_path(problem.path),
            "message": problem.sentence,
        }


@click.command
@click.argument("sources", nargs=-1, required=True, metavar="FILE...")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
def command(sources: tuple[str, ...], output: str, *, strict: bool) -> None:
    """Check AgentScalingPolicy manifests without a cluster.

    FILE is a file, a folder, or - for standard input; objects of other kinds are skipped. Exits
    with 0 when all is well, 1 when there are errors (with --strict also warnings), and 2 when
    something cannot be read.
    """
    policies = [each for each in manifests.read_all(sources) if linting.is_policy(each.body)]
    found = [located for each in policies for located in _check(each)]
    if output == "json":
        click.echo(json.dumps([each.in_json() for each in found], indent=2, ensure_ascii=False))
    else:
        for each in found:
            click.echo(each.in_text())
        click.echo(_summary(len(policies), found), err=True)
    if any(strict or each.finding.severity is Severity.ERROR for each in found):
        sys.exit(_FOUND)


def _check(manifest: Manifest) -> list[_Located]:
    found = linting.check(manifest.body, now=SystemClock().now(), judge_query=promql.problem_of)
    located = [_Located(manifest, finding) for finding in found]
    return sorted(located, key=lambda each: each.line)


def _summary(policies: int, found: list[_Located]) -> str:
    errors = sum(each.finding.severity is Severity.ERROR for each in found)
    return (
        f"{_count(policies, 'policy', 'policies')}: {_count(errors, 'error', 'errors')}, "
        f"{_count(len(found) - errors, 'warning', 'warnings')}"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
