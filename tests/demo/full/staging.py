"""Brings everything up in the order of need; what takes it down is on the caller's stack."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml
from rich.console import Console

from tests.bed import Bed, BedConfig
from tests.bed.ports import LOOPBACK
from tests.bed.processes import Program
from tests.demo import companions, staging
from tests.demo.full.following import SERVICE, Following
from tests.demo.full.processes import AGENT, EXAMPLE, Processes, own_address, redis_server

PATCH = Path(__file__).with_name("policy.yaml")
NAMESPACE = staging.NAMESPACE
SLOTS = 4
# A pod is called ready about when its process, begun with it, is: importing takes that long.
START_DELAY = (3.0, 4.0)


@dataclass(frozen=True)
class Stage:
    """All that runs; `model` is None where LLM_URL names a model of the user's."""

    bed: Bed
    store: Program
    following: Following
    url: str
    api: str
    model: str | None

    def limit_model(self, in_flight: int) -> None:
        """Let the model's stand-in answer 429 beyond so many calls at once."""
        if self.model:
            body = {"max_in_flight": in_flight}
            requests.put(f"http://{self.model}/limit", json=body, timeout=10).raise_for_status()


def set_up(exits: ExitStack, console: Console) -> Stage:
    """Start the cluster, the services, the gateway, the operator and the first agent."""
    redis_server(), own_address()  # what is missing is told before anything starts
    config = BedConfig(start_delay=START_DELAY, lookback="10s")
    with console.status("starting the cluster and Prometheus"):
        bed = exits.enter_context(Bed.up(config, console))
        processes = exits.enter_context(Processes(bed.work / "logs"))
    with console.status("installing the chart, applying the example"):
        staging.install(bed)
        apply_example(bed)
    with console.status("starting Redis, the model and the gateway"):
        store, environment, model = start_services(processes)
        api = exits.enter_context(companions.api_proxy(bed)).address
        url = start_gateway(bed, processes, api)
    with console.status("starting the operator and the first agent"):
        following = Following(bed, NAMESPACE, processes, environment)
        exits.enter_context(following)
        following.await_first()
        operator = companions.operator(bed, staging.SYSTEM_NAMESPACE, staging.RELEASE)
        bed.scrape("operator", exits.enter_context(operator).address)
    return Stage(bed, store, following, url, api, model)


def apply_example(bed: Bed) -> None:
    """Apply the example's agent and policy, with the demo's short times."""
    in_namespace = f"--namespace={NAMESPACE}"
    bed.kubectl("create", "namespace", NAMESPACE)
    bed.kubectl("apply", in_namespace, f"--filename={EXAMPLE}")
    bed.kubectl("patch", "asp", AGENT, in_namespace, "--type=merge", f"--patch-file={PATCH}")


def start_services(processes: Processes) -> tuple[Program, dict[str, str], str | None]:
    """Start what the agents need; give Redis, their environment, and the stand-in's address."""
    store, redis_url = processes.redis()
    store.start()
    environment, model = {"REDIS_URL": redis_url}, None
    if "LLM_URL" in os.environ:
        environment |= {name: text for name, text in os.environ.items() if name.startswith("LLM_")}
    else:
        stand_in, model = processes.model()
        stand_in.start()
        stand_in.wait_ready()
        environment["LLM_URL"] = f"http://{model}/v1"
    store.wait_ready()
    return store, environment, model


def start_gateway(bed: Bed, processes: Processes, api: str) -> str:
    """Start the gateway, and have it scraped; give the URL of the agent behind it."""
    listen, admin = (f"{LOOPBACK}:{processes.ports.reserve()}" for _ in range(2))
    config = bed.work / "gateway.yaml"
    config.write_text(yaml.safe_dump({"listen": listen, "admin": admin, "routes": [route()]}))
    environment = {
        "KUBERNETES_API_URL": f"http://{api}",
        "POD_NAMESPACE": NAMESPACE,
        "POD_NAME": "gateway",
    }
    gateway = processes.gateway(config, admin, environment)
    gateway.start()
    gateway.wait_ready()
    bed.scrape("gateway", admin)
    return f"http://{listen}/ask"


def route() -> dict[str, Any]:
    """Route by session: an agent that knows one is asked again while it has a free slot."""
    return {
        "agent": AGENT,
        "backends": {"service": {"name": SERVICE, "namespace": NAMESPACE, "port": "http"}},
        "capacity": SLOTS,
        "rule": "affinity",
        "slowStart": "2s",
    }
