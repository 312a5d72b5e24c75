"""A real Prometheus beside the cluster: its configuration, targets and history."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePath

import yaml

from tests.bed.ports import LOOPBACK
from tests.bed.tools import Tool


def configuration(targets: PurePath, scrape_interval: str) -> str:
    """Scrape whatever the files in the targets' folder name."""
    job = {
        "job_name": "bed",
        # One page may speak for many pods: its labels win.
        "honor_labels": True,
        "file_sd_configs": [{"files": [f"{targets}/*.json"], "refresh_interval": "5s"}],
    }
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": scrape_interval, "scrape_timeout": scrape_interval},
            "scrape_configs": [job],
        }
    )


def arguments(
    port: int, configuration_file: PurePath, data: PurePath, lookback: str, host: str = LOOPBACK
) -> list[str]:
    """Keep everything, also a trace of years ago, and accept samples that are pushed."""
    return [
        f"--config.file={configuration_file}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={host}:{port}",
        f"--query.lookback-delta={lookback}",
        "--web.enable-lifecycle",
        "--web.enable-admin-api",
        "--web.enable-remote-write-receiver",
    ]


def backfill(promtool: Tool, history: Path, data: Path) -> None:
    """Turn an OpenMetrics file with timestamps into blocks, before Prometheus starts."""
    data.mkdir(exist_ok=True)
    promtool(*backfill_words(history, data))


def backfill_words(history: PurePath, data: PurePath) -> list[str]:
    """Give promtool's arguments for `backfill`."""
    return ["tsdb", "create-blocks-from", "openmetrics", "--quiet", str(history), str(data)]


def write_target(
    targets: Path, name: str, address: str, path: str, labels: Mapping[str, str]
) -> None:
    """Name one page to scrape; `name` becomes its job."""
    fresh = targets / f".{name}"
    fresh.write_text(target(name, address, path, labels))
    fresh.rename(targets / f"{name}.json")  # Prometheus must never read half a file


def target(name: str, address: str, path: str, labels: Mapping[str, str]) -> str:
    """Give the content of a file that names one page to scrape."""
    group = {
        "targets": [address],
        "labels": {"job": name, "__metrics_path__": path, **labels},
    }
    return json.dumps([group])
