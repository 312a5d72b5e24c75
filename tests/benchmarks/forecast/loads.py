"""Loads to forecast: recorded traces where they are, else a synthetic one with the same traits."""

import csv
import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from agentscaler.forecast.columns import Doubles
from agentscaler.forecast.rhythm import Rhythm

DAY = timedelta(days=1)
TRACES = {
    "azure-llm-2024-code.60s": (1, 5, 15, 30, 60),
    "claude-code-a-overlay.60s": (1, 5, 15, 30, 60),
    "nasa-http-1995-07.60s": (1, 5, 15, 30, 60),
    "servegen-m-small.600s": (1, 2, 3, 6),
    "azure-llm-2023-conv.10s": (6, 30),
    "mooncake-conversation.10s": (6, 30),
}
"""Horizons in buckets of the trace."""


@dataclass(frozen=True)
class Load:
    """A load per bucket, NaN where unknown, and the horizons it is judged at."""

    name: str
    bucket: timedelta
    loads: Doubles
    ahead: tuple[int, ...]

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(DAY, DAY // self.bucket)

    @property
    def judged_from(self) -> int:
        """The first origin that counts: after two days, or a third of a short trace."""
        return min(2 * self.rhythm.buckets, len(self.loads) // 3)

    @property
    def has_seasons(self) -> bool:
        return len(self.loads) > 2 * self.rhythm.buckets


def read_loads(days: int | None) -> Iterator[Load]:
    """Give every trace that is there, cut to so many days; a synthetic week if none is."""
    folder = Path(os.environ.get("AGENTSCALER_TRACES") or "../shared/traces")
    found = [name for name in TRACES if (folder / f"{name}.csv.gz").is_file()]
    for name in found:
        load = _read(folder / f"{name}.csv.gz", name)
        yield load if days is None else _cut(load, days)
    if not found:
        yield synthetic_week()


def synthetic_week(seed: int = 1) -> Load:
    """Make a week of office days with bursts and Poisson counts, quieter at its end."""
    rng = np.random.default_rng(seed)
    minutes = np.arange(7 * 1440)
    hour = minutes / 60 % 24
    office = np.exp(-(((hour - 14) / 4) ** 2))
    busy = np.where(minutes // 1440 < 5, 1.0, 0.35)
    burst = np.exp(np.convolve(rng.normal(0, 0.25, len(minutes)), np.ones(9) / 9, "same"))
    return Load(
        "synthetic week",
        timedelta(minutes=1),
        rng.poisson((5 + 60 * office) * busy * burst).astype(float),
        (1, 5, 15, 30, 60),
    )


def _read(path: Path, name: str) -> Load:
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    width = timedelta(seconds=float(rows[1]["t_s"]) - float(rows[0]["t_s"]))
    arrivals = np.array([float(row["arrivals"]) for row in rows])
    if width >= timedelta(minutes=10):
        arrivals[_holes(arrivals)] = np.nan
    return Load(name, width, arrivals, TRACES[name])


def _holes(arrivals: Doubles) -> list[int]:
    """Find runs of two and more buckets of ten minutes without any arrival: lost data."""
    empty = [i > 0 and (arrivals[i - 1 : i + 1] == 0).all() for i in range(len(arrivals))]
    return [i for i in range(len(arrivals)) if empty[i] or (i + 1 < len(empty) and empty[i + 1])]


def _cut(load: Load, days: int) -> Load:
    most = days * load.rhythm.buckets
    return Load(load.name, load.bucket, load.loads[:most], load.ahead)
