"""Measure what policies cost, size by size, on a real control plane: `make bench-scale`.

All four sizes took 28 minutes on a slow machine with nothing else to do. It fails if a goal is
missed that could be judged. With `--json`, what the file has of other sizes is kept, so that sizes
can be measured one by one; `--sizes` without a number measures none, and tells what is there.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bed import Bed, BedConfig
from tests.benchmarks.scale import documents, report
from tests.benchmarks.scale.goals import judge
from tests.benchmarks.scale.rounds import Result, Spans, stage

SIZES = (100, 1_000, 5_000, 10_000)


def main() -> int:
    """Measure what was chosen."""
    options = _options()
    console = Console(stderr=True)
    results = _known(options.json)
    if options.sizes:
        _measure(options, results, console)
    found = [results[size] for size in sorted(results)]
    if options.output == "json":
        print(json.dumps(report.figures(found), indent=1))
    else:
        Console().print(report.table(found))
    if options.document:
        documents.write(found)
    verdicts = list(judge(found))
    for verdict in verdicts:
        console.print(str(verdict), highlight=False)
    return 0 if all(each.is_met for each in verdicts) else 1


def _known(file: Path | None) -> dict[int, Result]:
    if file is None or not file.exists():
        return {}
    return {each["policies"]: Result(**each) for each in json.loads(file.read_text())}


def _measure(options: Namespace, results: dict[int, Result], console: Console) -> None:
    """Measure size by size; each is on record before the next begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    config = BedConfig(cluster="local", scrape_interval="15s")
    with (
        Bed.up(config, console) as bed,
        Progress(*columns, console=console) as progress,
        stage(bed, progress, Spans(options.baseline, options.window)) as played,
    ):
        for size in sorted(set(options.sizes)):
            results[size] = played.play(size)
            if options.json:
                found = [results[each] for each in sorted(results)]
                options.json.write_text(json.dumps(report.figures(found), indent=1) + "\n")


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    add = parser.add_argument
    add("--sizes", type=int, nargs="*", default=list(SIZES), help="numbers of policies")
    add("--baseline", type=float, default=20.0, help="seconds measured without the operator")
    add("--window", type=float, default=45.0, help="seconds measured with it")
    add("--output", choices=["table", "json"], default="table")
    add("--json", type=Path, help="file for the figures")
    add("--document", action="store_true", help="also write the figures into docs/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
