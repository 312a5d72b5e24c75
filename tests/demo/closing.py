"""What the demo ends with: kubectl's own words, the figures, and how to look around."""

import signal
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from agentscaler import conventions
from agentscaler.simulate.chart import Run, Sample
from tests.bed import Bed, owner, state
from tests.demo import comparing, scenario
from tests.demo.comparing import Fixed
from tests.demo.scenario import Target
from tests.demo.watching import Moment

NAME = "demo"  # of the bed that is kept, for `python -m tests.bed`


def print_kubectl(console: Console, bed: Bed, target: Target) -> None:
    """Run the commands that a user would, and print what they say."""
    of_target = f"--namespace={target.namespace}"
    commands = (
        ("describe", conventions.SHORT_NAME, target.policy, of_target),
        ("get", conventions.SHORT_NAME, of_target),
        (
            *("get", "events", of_target, "--sort-by=.lastTimestamp"),
            f"--field-selector=involvedObject.kind={conventions.KIND}",
        ),
    )
    for command in commands:
        console.print(
            f"\n[bold]$ kubectl {' '.join(command)}[/bold]", highlight=False, soft_wrap=True
        )
        console.out(bed.kubectl(*command).rstrip(), highlight=False)


def print_figures(console: Console, figures: dict[str, Any], peak: Fixed, equal: Fixed) -> None:
    """Print how the day went, beside fixed fleets that serve the same arrivals."""
    target = f"{scenario.WAIT_TARGET:g} s"
    table = Table(title=f"The day in figures: {figures['arrivals']:,} requests", title_style="bold")
    table.add_column("")
    for heading in (f"within {target}", "mean wait", "p99 wait", "replica-hours", "cost"):
        table.add_column(heading, justify="right")
    ours = figures["replica_hours"]
    rows = (
        ("agentscaler", figures["attainment"], figures["mean_wait"], figures["p99_wait"], ours),
        _row(f"fixed, peak size: {peak.replicas}", peak),
        _row(f"fixed, equal service: {equal.replicas}", equal),
    )
    for name, attainment, mean_wait, p99_wait, hours in rows:
        table.add_row(
            name,
            f"{attainment:.2%}",
            f"{mean_wait:.2f} s",
            f"{p99_wait:.2f} s",
            f"{hours * 3600 / scenario.HOUR_SECONDS:.0f}",
            f"{hours / ours:.0%}",
        )
    console.print()
    console.print(table)
    if figures["cut"]:
        console.print(f"{figures['cut']} requests were cut off by a replica that went.")


def keep(console: Console, bed: Bed, target: Target) -> None:
    """Say how to look around, and let everything run until told to stop."""
    noted = state.write(owner.describe(NAME, bed))
    try:
        console.print(
            f"\nEverything runs on; Ctrl-C ends it and removes everything. To look around from "
            f"another terminal:\n"
            f'  eval "$({sys.executable} -m tests.bed env --name {NAME})"\n'
            f"  {bed.kubectl.program} describe asp {target.policy} -n {target.namespace}\n"
            f"  {bed.kubectl.program} get pods -n {target.namespace} --watch\n"
            f"  Prometheus: {bed.prometheus_url}   logs: {bed.work / 'logs'}\n"
            f"To end it from there: {sys.executable} -m tests.bed down --name {NAME}",
            highlight=False,
            soft_wrap=True,
        )
        signal.pause()
    finally:
        noted.unlink(missing_ok=True)


def fixed_fleets(figures: dict[str, Any], moments: Sequence[Moment]) -> tuple[Fixed, Fixed]:
    """Serve the same arrivals by the largest size that was ready, and by the cheapest equal one."""
    start, end = moments[0].at, moments[-1].at
    peak = max(moment.ready for moment in moments)
    equal = comparing.cheapest(start, end, figures["attainment"])
    return comparing.of_size(start, end, peak), equal


def run_of(moments: Sequence[Moment], figures: dict[str, Any], equal: Fixed) -> Run:
    """Prepare the picture of the day."""
    forecasts = [
        (moment.at + moment.lookahead, moment.expected)
        for moment in moments
        if moment.expected is not None
    ]
    start, samples, made = moments[0].at, [], 0
    for moment in moments:
        while made < len(forecasts) and forecasts[made][0] <= moment.at:
            made += 1
        samples.append(
            Sample(
                moment.at,
                moment.in_service,
                moment.waiting,
                moment.wanted,
                moment.ready,
                forecasts[made - 1][1] if made else None,
            )
        )
    return Run(
        title="A day of agent load in three minutes",
        subtitle=(
            f"{figures['arrivals']:,} requests, {figures['attainment']:.2%} of them served within "
            f"{scenario.WAIT_TARGET:g} s; replicas become ready 24 to 48 minutes of this day after "
            "they were asked for"
        ),
        samples=samples,
        slots=scenario.SLOTS,
        start=start,
        hour_seconds=scenario.HOUR_SECONDS,
        first_hour=scenario.hour_of(start),
        fixed=equal.replicas,
    )


def _row(name: str, fixed: Fixed) -> tuple[str, float, float, float, float]:
    return name, fixed.attainment, fixed.mean_wait, fixed.p99_wait, fixed.replica_hours
