"""agentscaler tune: search the settings that would have served a past at the least cost."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final

import click
import yaml
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from agentscaler.api.strategies import WaitTarget
from agentscaler.cli import history
from agentscaler.cli.backtest import LIMITS
from agentscaler.cli.history import Subject
from agentscaler.errors import UsageError
from agentscaler.quantities import format_duration, format_percent
from agentscaler.simulate import knobs
from agentscaler.simulate.backtest import Backtest
from agentscaler.simulate.benches import Alone, Beside
from agentscaler.simulate.tuning import Proposal, Score, Trial, Tuner

_OBJECTIVE: Final = re.compile(r"^wait<(\S+)@([0-9.]+%)$")
_AS_IT_IS: Final = "as it is"


@click.command
@history.options
@click.option(
    "--objective",
    metavar="wait<TIME@SHARE",
    help="The service to hold, such as 'wait<5s@99%'; default: the policy's demand.wait.",
)
@click.option("--trials", type=click.IntRange(2), default=60, help="Settings to try at most.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; default: one for each CPU.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    objective: str | None, trials: int, jobs: int | None, output: str, **given: Any
) -> None:
    """Propose settings for the policy in FILE, from the load that Prometheus recorded or a trace.

    They are searched on the first three fifths of the past and judged on the rest. What is printed
    is a patch of the manifest; nothing is applied.
    """
    asked = None if objective is None else _asked(objective)
    subject = history.read(given)
    backtest = replace(subject.backtest, asked=asked)
    proposal = _search(backtest, trials, jobs or os.cpu_count() or 1)
    if output == "json":
        click.echo(json.dumps(_document(subject, backtest, proposal), indent=2))
    else:
        _print(subject, backtest, proposal)


def _asked(objective: str) -> WaitTarget:
    found = _OBJECTIVE.match(objective)
    wrong = UsageError(f"--objective {objective!r}: write it like 'wait<5s@99%'")
    if found is None:
        raise wrong
    try:
        return WaitTarget.model_validate({"target": found[1], "attainment": found[2]})
    except ValueError:
        raise wrong from None


def _search(backtest: Backtest, trials: int, jobs: int) -> Proposal:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bench: AbstractContextManager[Alone | Beside] = (
        nullcontext(Alone(backtest)) if jobs == 1 else Beside(backtest, jobs)
    )
    with bench as table, Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("trying settings", total=1.0)
        tuner = Tuner(backtest, table, trials, lambda share: bar.update(task, completed=share))
        return tuner.propose()


def _document(subject: Subject, backtest: Backtest, proposal: Proposal) -> dict[str, Any]:
    return {
        "policy": subject.policy.key,
        "objective": _objective(backtest),
        "tried": proposal.tried,
        "present": _account(proposal.present, backtest),
        "proposed": _account(proposal.proposed, backtest),
        "holds": _holds(proposal, backtest),
        "curve": [_account(trial, backtest) for trial in proposal.curve],
        "patch": {"spec": knobs.changes(backtest.spec, proposal.proposed.spec)},
        "assumptions": [*backtest.past.remarks, LIMITS],
    }


def _account(trial: Trial, backtest: Backtest) -> dict[str, Any]:
    return {
        "settings": knobs.changes(backtest.spec, trial.spec),
        "tuned": _scores(trial.tuned),
        "judged": None if trial.judged is None else _scores(trial.judged),
    }


def _scores(score: Score) -> dict[str, float]:
    return {
        "attainment": round(score.attainment, 6),
        "replicaHours": round(score.replica_hours, 3),
        "flaps": score.flaps,
    }


def _print(subject: Subject, backtest: Backtest, proposal: Proposal) -> None:
    console = Console(highlight=False)
    console.print(Text(f"{subject.policy.key}: {_objective(backtest)}", "bold"))
    console.print(f"{proposal.tried} settings tried on the first part, the best judged on the rest")
    console.print()
    console.print(_curve(backtest, proposal))
    console.print()
    patch = knobs.changes(backtest.spec, proposal.proposed.spec)
    console.print(Text(_verdict(backtest, proposal, patch), "bold"))
    if patch:
        console.print()
        click.echo(yaml.safe_dump({"spec": patch}, sort_keys=False), nl=False)
    console.print()
    console.print(Text("What this rests on", "bold cyan"))
    for remark in (*backtest.past.remarks, LIMITS):
        console.print(Padding(Text(f"- {remark}"), (0, 0, 0, 2)))


def _curve(backtest: Backtest, proposal: Proposal) -> Table:
    """Lay out what nothing beats in both cost and service, the cheapest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("in time", "hours", "judged", "hours"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold")
    rows = [*proposal.curve]
    if all(trial.spec is not proposal.present.spec for trial in rows):
        rows.append(proposal.present)
    for trial in rows:
        changed = ", ".join(knobs.settings(knobs.changes(backtest.spec, trial.spec)))
        style = "bold" if trial.spec is proposal.proposed.spec else ""
        table.add_row(
            *_cells(trial.tuned), *_cells(trial.judged), changed or _AS_IT_IS, style=style
        )
    return table


def _cells(score: Score | None) -> tuple[str, str]:
    if score is None:
        return "", ""
    return f"{score.attainment:.2%}", f"{score.replica_hours:.1f}"


def _verdict(backtest: Backtest, proposal: Proposal, patch: Mapping[str, Any]) -> str:
    present, proposed = proposal.present.judged, proposal.proposed.judged
    if present is None or proposed is None:
        return "Nothing was judged"
    if not _holds(proposal, backtest):
        return (
            f"Nothing that was tried holds it: the best serves {proposed.attainment:.2%} in time. "
            "Look at maxReplicas, and at the time that a replica needs to start."
        )
    if not patch:
        return "Nothing to change: no setting that holds it is cheaper"
    saved = 1 - proposed.replica_hours / present.replica_hours
    change = f"{saved:.1%} fewer" if saved > 0 else f"{-saved:.1%} more"
    return f"Proposed, with {change} replica-hours at {proposed.attainment:.2%} in time:"


def _holds(proposal: Proposal, backtest: Backtest) -> bool:
    judged = proposal.proposed.judged
    return judged is not None and judged.attainment >= backtest.wait.attainment


def _objective(backtest: Backtest) -> str:
    wait = backtest.wait
    share, longest = format_percent(wait.attainment), format_duration(wait.target)
    return f"{share} of requests wait at most {longest}"
