"""Print how good the forecasts are: `python -m tests.benchmarks.forecast --help`."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tests.benchmarks.forecast.goals import check, judge
from tests.benchmarks.forecast.loads import Load, read_loads
from tests.benchmarks.forecast.methods import OURS, Forecasts, run_bank, with_margin
from tests.benchmarks.forecast.scores import Score, score
from tests.benchmarks.forecast.trees import is_installed, run_trees

MEASURES = {
    "wape": "WAPE, % of the load (lower is better)",
    "pinball": "Pinball loss at 90 %, % of the load (lower is better)",
    "coverage": "Coverage of the 90 % quantile, % of the buckets",
    "headroom": "Headroom above the load, % of the load (compare at equal coverage)",
    "ramp_shortfall": "Ramp shortfall, % of the load in ramps (lower is better)",
}
Scores = dict[str, dict[int, Score]]


def main() -> int:
    options = _options()
    results: dict[str, Scores] = {}
    for load in read_loads(options.days):
        if all(part not in load.name for part in options.trace or [""]):
            continue
        results[load.name] = scores_of(load, trees=is_installed() and not options.without_trees)
        print(_table(load, results[load.name]), flush=True)
    print(check(results))
    if options.json:
        told = {
            name: {
                method: {ahead: value.as_dict() for ahead, value in by_horizon.items()}
                for method, by_horizon in scores.items()
            }
            for name, scores in results.items()
        }
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0 if all(verdict.is_met for verdict in judge(results)) else 1


def scores_of(load: Load, *, trees: bool) -> Scores:
    """Judge every method on a load."""
    forecasts, upper = run_bank(load, _progress)
    if trees and load.has_seasons:
        forecasts["LightGBM"] = run_trees(load, _progress)
    _progress(f"{load.name}: margins")
    tops = with_margin(load, forecasts)
    tops[OURS] = upper
    _progress("")
    return {method: _by_horizon(load, forecasts, tops, method) for method in forecasts}


def _by_horizon(load: Load, forecasts: Forecasts, tops: Forecasts, method: str) -> dict[int, Score]:
    return {
        ahead: score(load, forecasts[method][:, place], tops[method][:, place], ahead=ahead)
        for place, ahead in enumerate(load.ahead)
    }


def _table(load: Load, scores: Scores) -> str:
    minutes = load.bucket.total_seconds() / 60
    heads = " | ".join(f"{ahead * minutes:g} min" for ahead in load.ahead)
    lines = [f"\n## {load.name}\n"]
    for measure, title in MEASURES.items():
        lines += [f"{title}\n", f"| method | {heads} |", "|---|" + "--:|" * len(load.ahead)]
        for method, by_horizon in scores.items():
            cells = " | ".join(f"{getattr(told, measure):.2f}" for told in by_horizon.values())
            lines.append(f"| {method} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.benchmarks.forecast", description=__doc__)
    parser.add_argument("--days", type=int, help="only the first days of each trace")
    parser.add_argument("--trace", action="append", help="only traces with this in their name")
    parser.add_argument("--json", type=Path, help="also write the scores there")
    parser.add_argument("--without-trees", action="store_true", help="leave LightGBM out")
    return parser.parse_args()


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
