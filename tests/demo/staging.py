"""Sets the stage, step by step; each step needs only what its arguments say."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import yaml
from rich.console import Console

from agentscaler import conventions
from agentscaler.api.status import ConditionStatus, ConditionType
from tests.bed import Bed, BedConfig, builds
from tests.bed.fleet import Fleet, FleetConfig
from tests.bed.fleet.history import write_history
from tests.bed.processes import wait_until
from tests.demo import companions, scenario
from tests.demo.scenario import Target
from tests.demo.watching import TIMEOUT_SECONDS, Moment, Watcher

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "agentscaler"
EXAMPLE = ROOT / "examples" / "quickstart"
PATCH = Path(__file__).with_name("policy.yaml")
RELEASE = "agentscaler"
SYSTEM_NAMESPACE = "agentscaler-system"
NAMESPACE = "agents"
# From writing the history until the first decision, with everything built: the midnight of the
# demo's day is set to come then.
SETUP_SECONDS = 25.0


@dataclass(frozen=True)
class Stage:
    """All that runs."""

    bed: Bed
    target: Target
    fleet: Fleet
    watcher: Watcher


def set_up(exits: ExitStack, console: Console) -> Stage:
    """Bring everything up in the order of need; `exits` takes it down."""
    target = example_target()
    load = scenario.fleet_of(target, time.time() + SETUP_SECONDS)
    folder = Path(exits.enter_context(TemporaryDirectory(prefix="agentscaler-demo-")))
    with console.status("writing the load of the past days"):
        write_past(load, folder / "history.om")
    with console.status("starting the cluster and Prometheus"):
        bed = exits.enter_context(bed_with(folder / "history.om", console))
    with console.status("installing the chart, applying the example"):
        install(bed)
        apply_example(bed, target)
    with console.status("starting the agents"):
        fleet = exits.enter_context(Fleet.up(bed, load))
        await_series(bed)
    with console.status("starting the operator"):
        operator = exits.enter_context(companions.operator(bed, SYSTEM_NAMESPACE, RELEASE))
        bed.scrape("operator", operator.address)
        api = exits.enter_context(companions.api_proxy(bed))
        watcher = Watcher(fleet, target, api=api.address, operator=operator.address)
        await_decision(watcher)
    with console.status("waiting for the night, when a day is best begun"):
        await_night(watcher)
    return Stage(bed, target, fleet, watcher)


def build(console: Console) -> None:
    """Build what the bed needs, if it is not there yet."""
    builds.ensure(console)


def write_past(fleet: FleetConfig, path: Path) -> None:
    """Write the past days of the fleet's load, up to now."""
    write_history(
        fleet,
        path,
        start=-scenario.PAST_DAYS * scenario.DAY_SECONDS,
        end=time.time() - fleet.epoch,
        step=1.0,
        replicas=scenario.PAST_REPLICAS,
    )


def bed_with(history: Path, console: Console) -> Bed:
    """Start a cluster and a Prometheus that knows the past."""
    config = BedConfig(
        start_delay=scenario.START_DELAY,
        stop_delay=scenario.STOP_DELAY,
        history=history,
        lookback="10s",
    )
    return Bed.up(config, console)


def install(bed: Bed) -> None:
    """Install the chart."""
    bed.helm(
        *("install", RELEASE, str(CHART)),
        *("--namespace", SYSTEM_NAMESPACE, "--create-namespace"),
        *("--set", f"prometheus.url={bed.prometheus_url}"),
    )


def example_target() -> Target:
    """Read from the example which agent is scaled by which policy."""
    documents = [each for path in sorted(EXAMPLE.glob("*.yaml")) for each in _read(path)]
    policy = next(each for each in documents if each["kind"] == conventions.KIND)
    return Target(
        namespace=NAMESPACE,
        deployment=policy["spec"]["scaleTargetRef"]["name"],
        policy=policy["metadata"]["name"],
    )


def apply_example(bed: Bed, target: Target) -> None:
    """Apply the example, with the demo's short times."""
    in_namespace = f"--namespace={target.namespace}"
    bed.kubectl("create", "namespace", target.namespace)
    bed.kubectl("apply", in_namespace, f"--filename={EXAMPLE}")
    bed.kubectl(
        *("patch", conventions.PLURAL, target.policy, in_namespace),
        *("--type=merge", f"--patch-file={PATCH}"),
    )
    bed.kubectl("rollout", "status", f"deployment/{target.deployment}", in_namespace)


def await_series(bed: Bed) -> None:
    """Wait until Prometheus has seen the agents: an operator is rarely there before them."""
    http = requests.Session()
    http.trust_env = False

    def found() -> bool:
        answer = http.get(
            f"{bed.prometheus_url}/api/v1/query",
            params={"query": conventions.CAPACITY},
            timeout=TIMEOUT_SECONDS,
        )
        return bool(answer.json()["data"]["result"])

    wait_until(found, within=60, what="series of the agents in Prometheus")


def await_decision(watcher: Watcher) -> None:
    """Wait until the operator has decided on what the agents export."""
    wait_until(
        lambda: watcher.condition(ConditionType.METRICS_AVAILABLE) == ConditionStatus.TRUE,
        within=60,
        what="a decision on known metrics",
    )


def await_night(watcher: Watcher) -> None:
    """Wait until the day may begin; not for long where setting up took no longer than usual."""
    wait_until(
        lambda: _may_begin(watcher.look()),
        within=scenario.DAY_SECONDS,
        what="a quiet night of the demo",
    )


def _may_begin(now: Moment) -> bool:
    """Tell whether it is night, and nothing waits any more for the operator's start."""
    return scenario.is_night(now.at) and now.waiting == 0


def _read(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]
