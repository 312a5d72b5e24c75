"""python -m tests.mutation [MODULE...]: try all mutants, show how it goes, end with a score."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.mutation import trials
from tests.mutation.forking import Child
from tests.mutation.ledger import Ledger
from tests.mutation.mutants import Mutant, mutants_of, unchanged
from tests.mutation.reach import Reach, measure
from tests.mutation.trials import Outcome, Trials, Verdict

FOLDER = Path("operator/agentscaler/decide").resolve()
PACKAGE = "agentscaler.decide"
KEPT = Path("build/mutation")
LEAST_PERCENT = 85.0
UNFINISHED = 2
COLUMNS = (
    TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
)  # fmt: skip
Score = dict[str, Counter[Verdict]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants that have no verdict yet; 1 below the goal, 2 where some are left."""
    given = _parser().parse_args(arguments)
    with trials.aside() as screen:
        return _run(given, Console(file=screen))


def _run(given: argparse.Namespace, console: Console) -> int:
    KEPT.mkdir(parents=True, exist_ok=True)
    files = {f"{PACKAGE}.{name}": FOLDER / f"{name}.py" for name in given.modules or _all()}
    ledger = Ledger(KEPT / "verdicts.jsonl", files)
    mutants = [
        mutant for name, file in files.items() for mutant in mutants_of(name, file.read_text())
    ]
    todo = [mutant for mutant in mutants if ledger.find(mutant) is None]
    if todo:
        ends = time.monotonic() + 60 * given.minutes
        _try(todo, ledger, console, jobs=given.jobs, ends=ends)
    judged = [(mutant, ledger.find(mutant)) for mutant in mutants]
    return _conclude(judged, console)


def _try(
    todo: Sequence[Mutant], ledger: Ledger, console: Console, *, jobs: int, ends: float
) -> None:
    modules = sorted({mutant.module for mutant in todo})
    originals = [unchanged(name, _file(name).read_text()) for name in modules]
    reach = measure(KEPT)

    def work(tests: Trials) -> None:
        for _ in range(2):  # a trial must leave nothing behind in which the next one fails
            tests.control(originals)
        waiting = iter(todo)
        under_way: dict[int, tuple[Mutant, Child]] = {}
        # Without a thread of its own, for a process that has threads should not fork.
        with Progress(*COLUMNS, console=console, auto_refresh=False) as progress:
            task = progress.add_task("mutants", total=len(todo))
            while True:
                free = jobs - len(under_way) if time.monotonic() < ends else 0
                for mutant in islice(waiting, free):
                    child = tests.begin(mutant, _order(reach, mutant))
                    under_way[child.pid] = (mutant, child)
                if not under_way:
                    return
                pid, outcome = trials.ended({pid: each[1] for pid, each in under_way.items()})
                ledger.add(under_way.pop(pid)[0], outcome)
                progress.advance(task)
                progress.refresh()

    trials.with_tests(work)


def _order(reach: Reach, mutant: Mutant) -> list[str]:
    return reach.order(_file(mutant.module), mutant.line)


def _file(module: str) -> Path:
    return FOLDER / f"{module.rpartition('.')[2]}.py"


def _conclude(judged: Iterable[tuple[Mutant, Outcome | None]], console: Console) -> int:
    score: Score = {}
    left = 0
    for mutant, outcome in judged:
        if outcome is None:
            left += 1
            continue
        score.setdefault(mutant.module.rpartition(".")[2], Counter())[outcome.verdict] += 1
        if outcome.verdict is Verdict.SURVIVED:
            console.print(_say(mutant), highlight=False, markup=False)
    console.print(_table(score))
    if left:
        console.print(f"{left} mutants have no verdict yet: run it again", highlight=False)
        return UNFINISHED
    return int(_percent(sum(score.values(), Counter())) < LEAST_PERCENT)


def _table(score: Score) -> Table:
    table = Table("module", "mutants", *Verdict, "dead %")
    for name, counts in [*sorted(score.items()), ("all", sum(score.values(), Counter()))]:
        numbers = [str(counts[verdict]) for verdict in Verdict]
        table.add_row(name, str(counts.total()), *numbers, f"{_percent(counts):.1f}")
    return table


def _percent(counts: Counter[Verdict]) -> float:
    return 100 * (1 - counts[Verdict.SURVIVED] / max(1, counts.total()))


def _say(mutant: Mutant) -> str:
    name = mutant.module.rpartition(".")[2]
    return f"{name}.py:{mutant.line} {mutant.place}: {mutant.before}  ->  {mutant.after}"


def _all() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="of decide; default: all")
    parser.add_argument("--jobs", type=int, default=2, help="trials at once; default %(default)s")
    parser.add_argument(
        "--minutes", type=float, default=1440.0, help="begin no trial after so long; go on later"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
