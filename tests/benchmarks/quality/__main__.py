"""Print how well fleets are scaled: ours, others, yardsticks: `make bench-quality`.

Without a choice it runs all loads in the usual world, some ten minutes; `--worlds` runs ours in
every other world, too. It fails if a goal is missed that could be judged.
"""

import json
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from os import environ
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from agentscaler.simulate.traces import BESIDE_CHECKOUT
from tests.benchmarks import sections
from tests.benchmarks.quality import gap, leftout, loads, report
from tests.benchmarks.quality.chart import draw
from tests.benchmarks.quality.contest import USUAL_SHARE, Contest, Result
from tests.benchmarks.quality.goals import ALIKE, USUAL, judge
from tests.benchmarks.quality.keeping import Kept
from tests.benchmarks.quality.loads import Cut
from tests.benchmarks.quality.worlds import WORLDS, seeded

FOLDER = Path(environ.get("AGENTSCALER_TRACES") or BESIDE_CHECKOUT)
DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "benchmarks.md"
SECTIONS: Final = ("gap", "left-out", "parts", "robust", "seeds", "tuned")
ALONE: Final = {
    "tuned": Contest.tuned,
    "left_out": leftout.tried,
    "gap": gap.apart,
    "yardsticks": Contest.yardsticks,
}
"""What is run instead of the usual, by the option that asks for it."""
TABLES: Final = {"left_out": leftout.table, "gap": gap.table}
CHOICES: Final = {
    "--ours": "leave the others out",
    "--parts": "ours without each of its parts",
    "--robust": "ours with other seeds, starts, scrapes and slots",
    "--tuned": "only the leanest settings that hold 99 %%",
    "--gap": "take the cost above the oracle's apart",
    "--yardsticks": "only what oracles and the floor pay",
    "--left-out": "choose three constants anew without each load",
}


def main() -> int:
    """Run what was chosen."""
    options = _options()
    names = [name for name in loads.names(options.traces) if _is_chosen(name, options.only)]
    kept = Kept(options.json, _commit(), _chosen(options))
    worlds: dict[str, report.Results] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(options.world) * len(names))
        for title in options.world:
            results: dict[str, list[Result]] = {}
            for name in names:
                progress.update(task, description=f"{title}: {name}")
                found = kept.of(title, name)
                if found is None:
                    found = list(_results(name, title, options))
                    kept.keep(title, name, found)
                if found:
                    results[name] = found
                progress.advance(task)
            worlds[title] = results
    tables = list(_tables(worlds, options))
    print(json.dumps(kept.told, indent=1) if options.output == "json" else "\n".join(tables))
    if options.section:
        arguments = shlex.join(_without_files(sys.argv[1:]))
        told = report.section(kept.told["commit"], arguments, tables)
        sections.write(DOCUMENT, options.section, told)
    if options.chart:
        options.chart.write_text(draw(next(iter(worlds.values()))))
    verdicts = list(judge(worlds))
    print("", *verdicts, sep="\n", file=sys.stderr)
    return 0 if all(each.is_met for each in verdicts) else 1


def _results(name: str, title: str, options: Namespace) -> Iterator[Result]:
    world = options.known[title]
    cut = Cut(days=options.days, requests=options.requests, seed=world.seed)
    past = loads.read(options.traces, name, cut, slots=world.slots, start_up=world.start_up)
    if not world.suits(past):
        return
    contest = Contest(past, world)
    for choice, of in ALONE.items():
        if getattr(options, choice):
            yield from of(contest)
            return
    yield contest.ours(json.loads(options.spec))
    if options.parts:
        yield from contest.parts()
        return
    if title != USUAL or options.ours:
        return
    for attainment in options.attainment:
        yield contest.ours_asked(attainment)
    yield from contest.peers(options.share)
    yield from contest.fixed()
    yield from contest.yardsticks()


def _tables(worlds: Mapping[str, report.Results], options: Namespace) -> Iterator[str]:
    """Tell each world, or all that differ by one thing in one table."""
    for choice, table in TABLES.items():
        if getattr(options, choice):
            yield table(worlds[USUAL])
            return
    if options.seeds:
        yield report.beside(worlds)
    else:
        yield from (report.markdown(title, found) for title, found in worlds.items() if found)


def _is_chosen(name: str, parts: list[str]) -> bool:
    return not parts or any(part in name for part in parts)


def _chosen(options: Namespace) -> dict[str, Any]:
    """Tell what the results depend on."""
    choices = (choice.removeprefix("--").replace("-", "_") for choice in CHOICES)
    names = ("days", "requests", "share", "attainment", "spec", "seeds", *choices)
    return {name: getattr(options, name) for name in names}


def _without_files(arguments: Sequence[str]) -> Iterator[str]:
    """Leave out where the figures go to."""
    following = iter(arguments)
    for each in following:
        if each in {"--json", "--section", "--chart", "--traces"}:
            next(following, None)
        else:
            yield each


def _commit() -> str:
    """Tell what was measured; "unknown" outside of a checkout."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.benchmarks.quality", description=__doc__)
    add = parser.add_argument
    add("--traces", type=Path, default=FOLDER, help="their folder; also AGENTSCALER_TRACES")
    add("--only", nargs="+", default=[], help="only the loads with one of these in their name")
    add("--world", action="append", choices=[*WORLDS, "all"], help="default: usual")
    add("--worlds", action="store_true", help="as --world all")
    add("--days", type=float, default=14.0, help="serve at most the first days")
    add("--requests", type=int, default=1_000_000, help="thin each load to these")
    add("--share", type=float, nargs="+", default=[USUAL_SHARE], help="settings of the others")
    add("--attainment", type=float, nargs="+", default=[], help="further settings of ours")
    add("--seeds", type=int, default=0, help="ours with so many seeds of all that is by chance")
    for choice, told in CHOICES.items():
        add(choice, action="store_true", help=told)
    add("--spec", default="{}", help="settings of ours, as JSON")
    add("--output", choices=["markdown", "json"], default="markdown")
    add("--json", type=Path, help="keep the figures there; a run that was broken off goes on")
    add("--section", choices=SECTIONS, help="write the tables into this part of the document")
    add("--chart", type=Path, help="also draw cost against attainment there, as SVG")
    options = parser.parse_args()
    options.world = options.world or [USUAL]
    if options.robust:
        options.ours, options.world = True, [USUAL, *ALIKE]
    options.known = {**WORLDS, **seeded(options.seeds)}
    if options.seeds:
        options.ours, options.world = True, [USUAL, *seeded(options.seeds)]
    if options.worlds or "all" in options.world:
        options.world = list(WORLDS)
    return options


if __name__ == "__main__":
    sys.exit(main())
