"""Measure how fast a visible sample becomes replicas: `make bench-reaction`, ten to 25 minutes.

Load rises in steps, agent by agent, on a real API server and a real Prometheus; `--peers` lets KEDA
and the HPA answer the same steps on the same control plane.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.bed import Bed, BedConfig
from tests.benchmarks import sections
from tests.benchmarks.reaction import chart, cluster, goals, keda, report
from tests.benchmarks.reaction.contenders import Contender, Ours
from tests.benchmarks.reaction.measuring import Found, Measuring
from tests.benchmarks.reaction.stage import SCRAPE_INTERVAL, standing
from tests.e2e.operators import RELEASE
from tests.e2e.worlds import SYSTEM_NAMESPACE

CONSOLE = Console(stderr=True)
PEERS_MOST = 1000
PICTURE = "reaction.svg"
CHART = Path(__file__).parents[3] / "helm" / "agentscaler"


def main() -> int:
    """Measure, print, judge; 1 if a goal is missed."""
    given = _parsed()
    known = report.read(json.loads(given.json.read_text())) if given.again else []
    results = known if given.only_tell else _measured(given, known)
    Console().print(report.table(results))
    verdicts = list(goals.judge(results))
    for each in verdicts:
        print(each)
    if given.docs:
        told = f"{report.markdown(results)}\n![Bars from p50 to p99, by contender]({PICTURE})"
        sections.write(given.docs / "benchmarks.md", "reaction", told)
        (given.docs / PICTURE).write_text(chart.draw(results))
    return 0 if all(each.is_met for each in verdicts) else 1


def _measured(given: argparse.Namespace, known: list[Found]) -> list[Found]:
    with Bed.up(BedConfig(cluster="local", nodes=1, scrape_interval=SCRAPE_INTERVAL)) as bed:
        prepare(bed)
        if given.peers:
            keda.install(bed, CONSOLE)
        return asyncio.run(_all(bed, list(_contenders(given, bed)), known, given.json))


def _contenders(given: argparse.Namespace, bed: Bed) -> Iterator[Contender]:
    """Name who takes part; a peer of 5,000 would not get ready within the hour."""
    yield Ours(given.sizes, given.intervals)
    if given.peers:
        sizes = tuple(size for size in given.sizes if size <= PEERS_MOST)
        url, usual, slowest = bed.prometheus_url, keda.DEFAULTS, given.intervals[:1]
        yield keda.Keda("KEDA + HPA, defaults", usual, sizes, slowest, url)
        yield keda.Keda("KEDA + HPA, tuned", keda.TUNED, sizes, given.intervals, url)


def prepare(bed: Bed) -> None:
    """Install the chart for its CRD and rights, and let Deployments be mere objects."""
    cluster.restart_manager(bed, "--controllers=*,-deployment-controller")
    bed.helm(
        "install", RELEASE, str(CHART), "--namespace", SYSTEM_NAMESPACE, "--create-namespace",
        "--set", f"replicas=0,prometheus.url={bed.prometheus_url}",
    )  # fmt: skip
    bed.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")


async def _all(
    bed: Bed, contenders: Sequence[Contender], known: Sequence[Found], file: Path | None
) -> list[Found]:
    """Take every contender through its sizes, but for what is known; keep all as it is found."""
    results = [found for found in known if _is_whole(found, contenders)]
    done = {(found.contender, found.size) for found in results}
    api = await cluster.connected(bed.kubeconfig)
    try:
        async with standing(bed) as stage:
            measuring = Measuring(bed, api, stage)
            for contender in contenders:
                for size in contender.sizes:
                    if (contender.name, size) not in done:
                        await _one(measuring, contender, size, results, file)
    finally:
        await api.close()
    return results


def _is_whole(found: Found, contenders: Sequence[Contender]) -> bool:
    """Tell whether a measurement had come to its end; one of somebody not asked for is kept."""
    intervals = [each.intervals for each in contenders if each.name == found.contender]
    told = tuple(reaction.interval for reaction in found.reactions)
    return not intervals or told == intervals[0]


async def _one(
    measuring: Measuring,
    contender: Contender,
    size: int,
    results: list[Found],
    file: Path | None,
) -> None:
    what = f"{contender.name}, {size:,} policies"
    with CONSOLE.status(f"{what}: cold start, then steps of load"):
        place = len(results)
        async for found in measuring.measure(contender, size):
            results[place:] = [found]
            keep(results, file)
            CONSOLE.print("  ".join(list(report.rows([found]))[-1]), highlight=False)


def keep(results: Sequence[Found], file: Path | None) -> None:
    """Write what was found so far."""
    if file:
        file.write_text(json.dumps(report.figures(results, commit()), indent=1) + "\n")


def commit() -> str:
    """Name the state of the sources, if that is known."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-reaction", description=__doc__)
    add = parser.add_argument
    add("--sizes", type=_numbers, default=(100, 1000, 5000), help="policies: 100,1000,5000")
    add("--intervals", type=_numbers, default=(15, 5, 1), help="polling, in seconds: 15,5,1")
    add("--peers", action="store_true", help="also KEDA with the HPA, which are built first")
    add("--json", type=Path, metavar="FILE", help="write the figures there, as they come")
    add("--again", action="store_true", help="measure only what that file does not tell yet")
    add("--only-tell", action="store_true", help="measure nothing: tell what that file tells")
    add("--docs", type=Path, metavar="FOLDER", help="write the section and the chart there")
    return parser


def _parsed() -> argparse.Namespace:
    parser = _parser()
    given = parser.parse_args()
    given.again |= given.only_tell
    if given.again and not (given.json and given.json.is_file()):
        parser.error("--json has to name the figures of an earlier run")
    return given


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
