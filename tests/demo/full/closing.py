"""What the run ends with: the figures, and where the work was held up."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bed import Bed, BedError
from tests.demo.full.processes import AGENT
from tests.demo.full.scenario import WAIT_TARGET
from tests.demo.full.staging import NAMESPACE
from tests.demo.full.users import Tally

PROGRAM = Path(sys.executable).with_name("agentscaler")


@dataclass(frozen=True)
class Outcome:
    """How a run went; `fixed_hours`: what its largest fleet had cost all the time.

    unlimited: the attainment until the stand-in for the model began to refuse calls.
    """

    tally: Tally
    unlimited: float | None
    replica_hours: float
    most_replicas: int
    fixed_hours: float
    verdict: str


def verdict(bed: Bed) -> str:
    """Ask `agentscaler analyze` where the work is held up."""
    analyzed = subprocess.run(
        [
            *(PROGRAM, "analyze", AGENT, f"--namespace={NAMESPACE}"),
            f"--kubeconfig={bed.kubeconfig}",
            f"--prometheus-url={bed.prometheus_url}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if analyzed.returncode:
        raise BedError(f"agentscaler analyze failed: {analyzed.stderr.strip()}")
    return analyzed.stdout.strip()


def print_figures(console: Console, outcome: Outcome) -> None:
    """Print how the run went."""
    tally = outcome.tally
    waits, durations = sorted(tally.waits), sorted(tally.durations)
    table = Table("", "", title="The run in figures", title_style="bold", show_header=False)
    rows = {
        "requests": f"{tally.requests} in {tally.sessions} sessions, "
        f"{tally.looked_at} looked at after their last turn",
        f"begun within {WAIT_TARGET:g} s": _attainment(outcome),
        "wait, median and p99": f"{_at(waits, 50):.2f} s, {_at(waits, 99):.2f} s",
        "whole answer, median and p99": f"{_at(durations, 50):.2f} s, {_at(durations, 99):.2f} s",
        "failed requests": str(tally.failures.total()),
        "lost sessions": str(tally.lost),
        "mixed-up sessions": str(tally.mixed),
        "replica-hours": f"{outcome.replica_hours:.3f}; {outcome.fixed_hours:.3f} with "
        f"{outcome.most_replicas} replicas all the time",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    console.print()
    console.print(table)
    for reason, count in tally.failures.most_common(5):
        console.print(f"{count} x {reason}", markup=False, highlight=False)
    console.print("\n[bold]Bottleneck, at the end of the load[/bold]")
    console.print(outcome.verdict, markup=False, highlight=False)


def _attainment(outcome: Outcome) -> str:
    whole = f"{outcome.tally.attainment(WAIT_TARGET):.2%}"
    if outcome.unlimited is None:
        return whole
    return f"{outcome.unlimited:.2%} until the model refused, {whole} in all"


def _at(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0
