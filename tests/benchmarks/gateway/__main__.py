"""Compare proxies side by side: `make bench-gateway`, about eight minutes.

Prints Markdown; `--json FILE` writes the figures as well. The work's own p99 is the least that any
proxy can reach where pods are equal.
"""

import argparse
import asyncio
import json
import tempfile
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

from tests.benchmarks.gateway import load, passing, peers, scenarios

ADDED_LATENCY_MS = 2.0


async def compare(chosen: str) -> dict[str, Any]:
    """Print the cost of passing, then a table for each scenario; give the figures."""
    figures: dict[str, Any] = {"scenarios": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = peers.unpacked(folder)
        if not chosen:
            figures["passing"] = await _passing(root, folder)
        for scenario in scenarios.SCENARIOS:
            if chosen in scenario.title:
                figures["scenarios"][scenario.title] = await _scenario(scenario, root, folder)
    return figures


async def _passing(root: Path, folder: Path) -> list[dict[str, Any]]:
    print(f"## Passing\n\nOne connection for the latency, {passing.CONNECTIONS} for the rate.\n")
    print("| proxy | added latency, median | p99 | requests/s |\n|---|---|---|---|")
    rows = []
    async for row in passing.compare(root, folder):
        cells = (
            f"{row.median_ms:.2f} ms",
            f"{row.p99_ms:.2f} ms",
            f"{row.requests_per_second:.0f}",
        )
        print(f"| {row.proxy} | {' | '.join(cells)} |", flush=True)
        rows.append(row)
    met = "met" if rows[-1].median_ms <= ADDED_LATENCY_MS else "missed"
    print(f"\nGoal, at most {ADDED_LATENCY_MS:g} ms added at the median: {met}.")
    return [asdict(row) for row in rows]


async def _scenario(
    scenario: scenarios.Scenario, root: Path, folder: Path
) -> dict[str, dict[str, float]]:
    arrivals = scenario.arrivals()
    own = load.quantile([each.seconds for each in arrivals], 0.99)
    print(
        f"\n## {scenario.title}\n\n{len(arrivals)} requests; the work's own p99 is {own:.2f} s.\n"
    )
    late = f"waited over {load.WAIT_TARGET_SECONDS:g} s, or failed"
    print(f"| proxy | median | p99 | of round robin | {late} | failed |\n|---|---|---|---|---|---|")
    rows: list[scenarios.Row] = []
    async for row in scenarios.play(scenario, root, folder):
        rows.append(row)
        print(f"| {row.proxy} | {' | '.join(_cells(row.result, rows[0].result))} |", flush=True)
    said = list(scenarios.missed(rows))
    print("\nGoals met." if not said else "\n" + "\n".join(f"Missed: {each}." for each in said))
    return {row.proxy: _figures(row.result) for row in rows}


def _cells(result: load.Result, base: load.Result) -> tuple[str, ...]:
    answered = result.p99_seconds < inf
    ratio = result.p99_seconds / base.p99_seconds if answered else inf
    return (
        f"{result.median_seconds:.2f} s",
        f"{result.p99_seconds:.2f} s" if answered else "never",
        f"{ratio:.2f}" if answered else "-",
        f"{result.late_ratio:.1%}",
        f"{result.failed_ratio:.1%}",
    )


def _figures(result: load.Result) -> dict[str, float]:
    names = ("median_seconds", "p99_seconds", "late_ratio", "failed_ratio")
    return {name: getattr(result, name) for name in names}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only the scenarios with this in their title")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    found = asyncio.run(compare(given.only))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
