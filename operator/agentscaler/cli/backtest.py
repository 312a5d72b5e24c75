"""agentscaler backtest: live through a recorded past with a policy, before it is applied."""

import json
import operator as op
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from agentscaler.cli import history
from agentscaler.cli.history import Subject
from agentscaler.errors import UsageError
from agentscaler.simulate.backtest import Row
from agentscaler.simulate.picture import picture

_FAILED: Final = 1
_WAITS: Final = ("waitP50", "waitP95", "waitP99")
_MEASURES: Final = ("attainment", *_WAITS, "replicaHours", "scalings", "flaps", "cost")
_CONDITION: Final = re.compile(r"^\s*([A-Za-z0-9]+)\s*(<=|>=|<|>)\s*([0-9]+\.?[0-9]*)\s*(%|s)?\s*$")
_COMPARISONS: Final = {"<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}
LIMITS: Final = (
    "the replay is a model: requests arrive as they did whatever they wait, every replica is "
    "equally fast, none fails, and no provider limit slows them"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must not hold of a result."""

    text: str
    name: str
    compare: Callable[[float, float], bool]
    limit: float

    def holds(self, told: Mapping[str, Any]) -> bool:
        """Tell whether it holds; raise UsageError for a cost without a price."""
        if self.name not in told:
            raise UsageError(f"--fail-if {self.text!r} needs --replica-hour-cost")
        return self.compare(told[self.name], self.limit)


@click.command
@history.options
@click.option("--replica-hour-cost", type=click.FloatRange(min=0), help="Price of a replica-hour.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--chart", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture (SVG)."
)
@click.option(
    "--fail-if",
    multiple=True,
    metavar="CONDITION",
    help="Exit with 1 if it holds for the policy: 'attainment<99%', 'waitP99>10s', 'flaps>20', "
    "'replicaHours>500', 'scalings>100', 'cost>50'; repeatable.",
)
def command(
    replica_hour_cost: float | None,
    output: str,
    chart: Path | None,
    fail_if: tuple[str, ...],
    **given: Any,
) -> None:
    """Replay the policy in FILE on the load that Prometheus recorded, or on a trace.

    The production decision runs a simulated fleet through that past, and is set against what was
    really run, a fixed fleet, the thresholds and two other autoscalers. Nothing is applied.
    """
    conditions = [_condition(text) for text in fail_if]
    if chart is not None and not chart.parent.is_dir():
        raise UsageError(f"--chart {chart}: there is no folder {chart.parent}: create it")
    subject = history.read(given)
    rows = _run(subject)
    told = [_account(row, replica_hour_cost) for row in rows]
    if output == "json":
        click.echo(json.dumps(_document(subject, told, rows), indent=2, ensure_ascii=False))
    else:
        _print(subject, told, rows)
    if chart is not None:
        _write(chart, picture(subject.backtest.past, rows, title=_title(subject)))
    broken = [each for each in conditions if each.holds(told[0])]
    for each in broken:
        click.echo(f"--fail-if {each.text}: it is {told[0][each.name]:g}", err=True)
    if broken:
        sys.exit(_FAILED)


def _write(chart: Path, drawn: str) -> None:
    try:
        chart.write_text(drawn)
    except OSError as exc:
        raise UsageError(f"--chart {chart}: cannot be written: {exc.strerror}") from exc
    click.echo(f"picture in {chart}", err=True)


def _run(subject: Subject) -> list[Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def tell(name: str, share: float) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=1.0)
            progress.update(tasks[name], completed=share)

        return subject.backtest.compare(tell)


def _account(row: Row, cost: float | None) -> dict[str, Any]:
    outcome = row.outcome
    told = {
        "name": row.name,
        "requests": outcome.requests,
        "attainment": round(outcome.attainment, 6),
        **{name: round(wait, 3) for name, wait in zip(_WAITS, outcome.waits, strict=True)},
        "replicaHours": round(outcome.replica_hours, 3),
        "scalings": outcome.scalings,
        "flaps": outcome.flaps,
    }
    if cost is not None:
        told["cost"] = round(outcome.replica_hours * cost, 2)
    return told


def _condition(text: str) -> Condition:
    """Read a condition such as "attainment<99%"."""
    found = _CONDITION.match(text)
    if found is None or found[1] not in _MEASURES:
        raise UsageError(
            f"--fail-if {text!r}: write a measure, a comparison and a number, such as "
            f"'attainment<99%'; measures are {', '.join(_MEASURES)}"
        )
    name, sign, number, unit = found.groups()
    limit = float(number) / (100 if unit == "%" else 1)
    return Condition(text, name, _COMPARISONS[sign], limit)


def _document(subject: Subject, told: list[dict[str, Any]], rows: Sequence[Row]) -> dict[str, Any]:
    past = subject.backtest.past
    return {
        "policy": subject.policy.key,
        "from": _moment(past.start),
        "to": _moment(past.end),
        "unknownShare": round(past.unknown_share, 6),
        "waitTargetSeconds": subject.backtest.terms.wait_target,
        "results": told,
        "worstMinutes": [
            {"time": _moment(each.at), "begun": each.begun, "late": each.late}
            for each in rows[0].outcome.worst()
        ],
        "assumptions": [*past.remarks, LIMITS],
    }


def _print(subject: Subject, told: list[dict[str, Any]], rows: Sequence[Row]) -> None:
    past, target = subject.backtest.past, subject.backtest.terms.wait_target
    console = Console(highlight=False)
    console.print(Text(_title(subject), "bold"))
    console.print(
        f"{_moment(past.start)} to {_moment(past.end)}, {told[0]['requests']} requests"
        + (f", nothing known for {past.unknown_share:.1%} of the time" if past.gaps else "")
    )
    console.print()
    console.print(_table(told, target))
    console.print(
        f"in {target:g}s: requests that waited no longer; p50 to p99: waits; hours: of replicas",
        style="dim",
    )
    if worst := rows[0].outcome.worst():
        console.print()
        console.print(Text("Worst minutes of this policy", "bold cyan"))
        for each in worst:
            console.print(f"  {_moment(each.at)}: {each.late} of {each.begun} late")
    console.print()
    console.print(Text("What this rests on", "bold cyan"))
    for remark in (*past.remarks, LIMITS):
        console.print(Padding(Text(f"- {remark}"), (0, 0, 0, 2)))


def _table(told: list[dict[str, Any]], target: float) -> Table:
    gap = 1 if "cost" in told[0] else 2  # a terminal has 80 columns
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    titles = [f"in {target:g}s", "p50", "p95", "p99", "hours", "scalings", "flaps"]
    titles += ["cost"] * ("cost" in told[0])
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for number, each in enumerate(told):
        cells = [
            each["name"],
            f"{each['attainment']:.2%}",
            *(f"{each[name]:.1f}s" for name in _WAITS),
            f"{each['replicaHours']:.1f}",
            str(each["scalings"]),
            str(each["flaps"]),
        ]
        cells += [f"{each['cost']:.2f}"] if "cost" in each else []
        table.add_row(*cells, style="" if number else "bold")
    return table


def _title(subject: Subject) -> str:
    ref = subject.policy.spec.scale_target_ref
    return f"{subject.policy.key} on {ref.kind}/{ref.name}"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
