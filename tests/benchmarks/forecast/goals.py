"""What the forecasts must reach, and whether they do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.benchmarks.forecast.methods import OURS, SEED
from tests.benchmarks.forecast.scores import Score

MULTI_DAY = ("azure-llm-2024-code", "nasa-http", "claude-code", "servegen", "synthetic")
AVERAGE = "level of 5"
TREES = "LightGBM"
Results = Mapping[str, Mapping[str, Mapping[int, Score]]]


@dataclass(frozen=True)
class Verdict:
    """One goal on one load at one horizon."""

    goal: str
    load: str
    ahead: int
    value: float
    is_met: bool


def judge(results: Results) -> Iterator[Verdict]:
    """Hold the results against the goals, load by load."""
    for load, scores in results.items():
        if not load.startswith(MULTI_DAY):
            continue
        for ahead, ours in scores[OURS].items():
            ratio = ours.wape / scores[SEED][ahead].wape
            yield Verdict("WAPE / time-of-day mean <= 0.85", load, ahead, ratio, ratio <= 0.85)
            covered = 86 <= ours.coverage <= 93
            yield Verdict("coverage 86 to 93 %", load, ahead, ours.coverage, covered)
            if TREES in scores:
                ratio = ours.pinball / scores[TREES][ahead].pinball
                yield Verdict("pinball / LightGBM <= 1.05", load, ahead, ratio, ratio <= 1.05)
        if load.startswith("azure-llm-2024-code"):
            ratio = scores[OURS][15].ramp_shortfall / scores[AVERAGE][15].ramp_shortfall
            yield Verdict("ramp shortfall / EWMA-5 <= 0.65", load, 15, ratio, ratio <= 0.65)


def check(results: Results) -> str:
    """Tell the verdicts as a table."""
    lines = ["\n## Goals\n", "| goal | load | buckets ahead | value | |", "|---|---|--:|--:|---|"]
    for told in judge(results):
        mark = "met" if told.is_met else "MISSED"
        lines.append(f"| {told.goal} | {told.load} | {told.ahead} | {told.value:.2f} | {mark} |")
    return "\n".join(lines)
