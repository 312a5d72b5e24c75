"""Print how well fleets are scaled: ours, others, yardsticks: `make bench-quality`.

Without a choice it runs all loads in the usual world, some ten minutes; `--world all` runs ours in
every other world, too.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from agentscaler.simulate.traces import BESIDE_CHECKOUT
from tests.benchmarks.quality import loads, report
from tests.benchmarks.quality.contest import Contest, Result
from tests.benchmarks.quality.loads import Cut
from tests.benchmarks.quality.worlds import WORLDS, World

USUAL = "usual"


def main() -> int:
    """Run what was chosen; fail if a goal of the usual world is missed."""
    options = _options()
    chosen = list(WORLDS) if "all" in options.world else options.world
    names = [name for name in loads.names(options.traces) if options.only in name]
    worlds: dict[str, report.Results] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(chosen) * len(names))
        for title in chosen:
            results: dict[str, list[Result]] = {}
            for name in names:
                progress.update(task, description=f"{title}: {name}")
                results[name] = _contest(name, WORLDS[title], options, plain=title == USUAL)
                progress.advance(task)
            worlds[title] = results
            if options.output == "markdown":
                print(report.markdown(title, results), flush=True)
    if options.output == "json":
        print(json.dumps(report.figures(worlds), indent=1))
    return _judge(worlds)


def _contest(name: str, world: World, options: Namespace, *, plain: bool) -> list[Result]:
    cut = Cut(days=options.days, requests=options.requests, seed=world.seed)
    past = loads.read(options.traces, name, cut, slots=world.slots, start_up=world.start_up)
    contest = Contest(past, world)
    results = [contest.ours(json.loads(options.spec))]
    if plain and not options.ours:
        results += contest.peers(tuned=options.tuned)
        results += contest.fixed()
    return results


def _judge(worlds: dict[str, report.Results]) -> int:
    if USUAL not in worlds:
        return 0
    verdicts = list(report.goals(worlds[USUAL]))
    for told, is_met in verdicts:
        print(f"{'met' if is_met else 'MISSED'}: {told}", file=sys.stderr)
    return 0 if all(is_met for _, is_met in verdicts) else 1


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.benchmarks.quality", description=__doc__)
    parser.add_argument("--traces", type=Path, default=Path(BESIDE_CHECKOUT), help="their folder")
    parser.add_argument("--only", default="", help="only the loads with this in their name")
    parser.add_argument("--world", action="append", choices=[*WORLDS, "all"], help="default: usual")
    parser.add_argument("--days", type=float, default=14.0, help="serve at most the first days")
    parser.add_argument("--requests", type=int, default=1_000_000, help="thin each load to these")
    parser.add_argument("--ours", action="store_true", help="leave the others out")
    parser.add_argument("--tuned", action="store_true", help="others: the leanest that holds 99 %%")
    parser.add_argument("--spec", default="{}", help="settings of ours, as JSON")
    parser.add_argument("--output", choices=["markdown", "json"], default="markdown")
    options = parser.parse_args()
    options.world = options.world or [USUAL]
    return options


if __name__ == "__main__":
    sys.exit(main())
