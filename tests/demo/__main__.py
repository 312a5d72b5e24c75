"""python -m tests.demo [--chart PATH]: see the package; KEEP=1 leaves everything running."""

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from agentscaler.simulate import chart
from tests.bed import BedError
from tests.bed.fleet import Fleet
from tests.demo import closing, scenario, screen, staging
from tests.demo.staging import Stage
from tests.demo.watching import Moment, Watcher

LOOK_SECONDS = 0.5
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; failures are sentences, not tracebacks."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--chart", type=Path, help="write a picture of the run, as SVG")
    given = parser.parse_args(arguments)
    console = Console()
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupt)
    try:
        demonstrate(console, given.chart)
    except BedError as exc:
        console.print(str(exc), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return INTERRUPTED
    return 0


def demonstrate(console: Console, picture: Path | None) -> None:
    """Set the stage, watch the day, say how it went; take everything down in every case."""
    staging.build(console)
    with contextlib.ExitStack() as exits:
        try:
            stage = staging.set_up(exits, console)
            moments = watch(console, stage.fleet, stage.watcher)
            conclude(stage, console, moments, picture)
            if os.environ.get("KEEP"):
                closing.keep(console, stage.bed, stage.target)
        finally:
            # Taking down is quick; a second Ctrl-C must not leave half of it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def watch(console: Console, fleet: Fleet, watcher: Watcher) -> list[Moment]:
    """Look twice a second for one day, and show what is seen."""
    fleet.mark()
    moments = [watcher.look()]
    with screen.shown(console, screen.view, screen.line) as show:
        while moments[-1].at < moments[0].at + scenario.DAY_SECONDS:
            time.sleep(LOOK_SECONDS)
            moments.append(watcher.look())
            show(moments)
    return moments


def conclude(
    stage: Stage, console: Console, moments: Sequence[Moment], picture: Path | None
) -> None:
    """Say how the day went, and draw it."""
    figures = stage.fleet.figures()[stage.target.key]
    closing.print_kubectl(console, stage.bed, stage.target)
    peak, equal = closing.fixed_fleets(figures, moments)
    closing.print_figures(console, figures, peak, equal)
    if picture:
        picture.write_text(chart.draw(closing.run_of(moments, figures, equal)))
        console.print(f"The picture of the run is in {picture}.", highlight=False)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
