"""Past days of a fleet, as if Prometheus had scraped them.

The same plants serve the same loads under virtual time, with `replicas` pods that never change.
For `promtool tsdb create-blocks-from openmetrics`, so that a forecast knows the days before. Such
a file cannot say that a series ends: let the bed's `lookback` be short, or the past pods count as
present ones for minutes more.
"""

from pathlib import Path

from tests.bed.fleet.agent import Agent
from tests.bed.fleet.config import FleetConfig
from tests.bed.fleet.launch import SCRAPE_LABELS
from tests.bed.fleet.page import Page, labels_of


def write_history(
    fleet: FleetConfig, path: Path, *, start: float, end: float, step: float, replicas: int
) -> None:
    """Write a sample of all series each `step` seconds of the fleet's time, from start to end."""
    page, labels = Page(), f",{labels_of(SCRAPE_LABELS)}"
    for config in fleet.agents:
        agent = Agent(config, start)
        pods = [f"{config.name}-past-{number}" for number in range(replicas)]
        for pod in pods:
            agent.plant.pod_created(pod)
            agent.plant.pod_ready(pod)
        now = start + step
        while now <= end:
            agent.advance(now)
            agent.write(page, fleet.epoch + now, labels)
            now += step
    path.write_text(page.text())
