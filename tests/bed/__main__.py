"""The bed's command line: python -m tests.bed build | lacks | stage | up | down | status | env."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console

from tests.bed import builds, clusters, images, owner, state
from tests.bed.bed import SHARED_PROGRAMS
from tests.bed.config import BedConfig
from tests.bed.errors import BedError, UnavailableError
from tests.bed.ground import Ground
from tests.bed.state import State

CONSOLE = Console(stderr=True)
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; failures are sentences, not tracebacks."""
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except BedError as exc:
        CONSOLE.print(str(exc), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def build(given: argparse.Namespace) -> None:
    """Build every program that is not in the cache; CLUSTER=kind and current need few of them."""
    builds.ensure(CONSOLE, builds.ALL if BedConfig().cluster == "local" else SHARED_PROGRAMS)
    print(builds.cache())


def lacks(given: argparse.Namespace) -> None:
    """Say in one line why the wanted cluster (CLUSTER) cannot be had; nothing when it can."""
    ground = Ground()
    try:
        clusters.cluster(ground, BedConfig(), CONSOLE)
    except UnavailableError as exc:
        print(exc)
    finally:
        ground.clear()


def stage(given: argparse.Namespace) -> None:
    """Gather in build/bed what the bed's image is built from."""
    images.stage(images.ROOT / "build" / "bed", CONSOLE)


def up(given: argparse.Namespace) -> None:
    """Start a bed."""
    config = config_of(given)
    if not given.detach:
        owner.hold(given.name, config, CONSOLE)
        return
    builds.ensure(CONSOLE)
    owner.detach(given.name, words_of(config))
    _export(_find(given.name))


def down(given: argparse.Namespace) -> None:
    """Take one bed down, or all."""
    for bed in state.read_all() if given.all else [_find(given.name)]:
        owner.take_down(bed)
        CONSOLE.print(f"The bed {bed.name} is gone.", highlight=False)


def status(given: argparse.Namespace) -> None:
    """Say which beds are up and how they are."""
    beds = list(state.read_all())
    if not beds:
        print("No bed is up.")
    for bed in beds:
        print(f"{bed.name}: {bed.cluster} cluster, up for {bed.age}")
        for name, value in bed.environment.items():
            print(f"  {name}={value}")
        for program, pid in bed.programs.items():
            print(f"  {program:24} {_health(pid)}")


def env(given: argparse.Namespace) -> None:
    """Print the lines that point a shell to a bed."""
    _export(_find(given.name))


def _find(name: str) -> State:
    bed = state.read(name)
    if bed is None:
        others = ", ".join(each.name for each in state.read_all()) or "none"
        raise BedError(f"no bed named {name} is up; up are: {others}")
    return bed


def _export(bed: State) -> None:
    for name, value in bed.environment.items():
        print(f"export {name}={shlex.quote(value)}")


def _health(pid: int | None) -> str:
    try:
        memory = psutil.Process(pid).memory_info().rss if pid else 0
    except psutil.NoSuchProcess:
        return "dead"
    return f"pid {pid}, {memory / 2**20:.0f} MiB"


def config_of(given: argparse.Namespace) -> BedConfig:
    """Read a configuration from the words of `up`."""
    return BedConfig(
        cluster=given.cluster,
        nodes=given.nodes,
        start_delay=given.start_delay,
        stop_delay=given.stop_delay,
        scrape_interval=given.scrape_interval,
        history=given.history and given.history.absolute(),
        api_port=given.api_port,
        prometheus_port=given.prometheus_port,
    )


def words_of(config: BedConfig) -> list[str]:
    """Say a configuration in the words of `up`; the opposite of `config_of`."""
    words = [
        f"--cluster={config.cluster}",
        f"--nodes={config.nodes}",
        f"--start-delay={config.start_delay[0]}-{config.start_delay[1]}",
        f"--stop-delay={config.stop_delay[0]}-{config.stop_delay[1]}",
        f"--scrape-interval={config.scrape_interval}",
        f"--api-port={config.api_port}",
        f"--prometheus-port={config.prometheus_port}",
    ]
    return [*words, f"--history={config.history}"] if config.history else words


def _seconds(text: str) -> tuple[float, float]:
    """Parse `3` or a range such as `3-6`."""
    shortest, _, longest = text.partition("-")
    return float(shortest), float(longest or shortest)


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    whole = argparse.ArgumentParser(prog="python -m tests.bed", description=__doc__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for run in (build, lacks, stage, up, down, status, env):
        command = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        if run in (up, down, env):
            command.add_argument("--name", default="default", help="which bed; default %(default)s")
        if run is down:
            command.add_argument("--all", action="store_true", help="take down every bed")
        if run is up:
            _add_choices(command)
    return whole


def _add_choices(command: argparse.ArgumentParser) -> None:
    usual = BedConfig()
    add = command.add_argument
    add("--detach", action="store_true", help="return once it is ready, and leave it running")
    add("--cluster", choices=clusters.NAMES, default=usual.cluster, help="default: %(default)s")
    add("--nodes", type=int, default=usual.nodes, help="simulated nodes")
    add("--start-delay", type=_seconds, default=usual.start_delay, metavar="SECONDS[-SECONDS]")
    add("--stop-delay", type=_seconds, default=usual.stop_delay, metavar="SECONDS[-SECONDS]")
    add("--scrape-interval", default=usual.scrape_interval, help="of Prometheus, such as 1s")
    add("--history", type=Path, help="an OpenMetrics file for Prometheus to begin with")
    add("--api-port", type=int, default=0, help="0 is any free one")
    add("--prometheus-port", type=int, default=0, help="0 is any free one")


if __name__ == "__main__":
    sys.exit(main())
