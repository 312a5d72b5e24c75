"""Recorded load: CSV files, gzipped or not, of requests or of counts per bucket.

Columns are found by name; an empty field means that the source does not tell. `t_s` is seconds from
the file's own start. Files stay where they are: AGENTSCALER_TRACES names their folder, by default
one beside the checkout.
"""

import csv
import gzip
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final

from agentscaler.errors import UsageError
from agentscaler.simulate.workload import STEPS, Bucket, Lognormal, Request, spread, step_seconds

BESIDE_CHECKOUT: Final = "../shared/traces"

_Row = Mapping[str, str]


def locate(name: str) -> Path:
    """Find a trace by its name, such as "azure-llm-2024-code.60s"; raise UsageError if absent."""
    folder = Path(os.environ.get("AGENTSCALER_TRACES") or BESIDE_CHECKOUT)
    path = folder / f"{name}.csv.gz"
    if not path.is_file():
        raise UsageError(f"no trace {name} in {folder}: set AGENTSCALER_TRACES to their folder")
    return path


def read_trace(path: Path, rng: Random) -> Iterator[Request]:
    """Read a file of either kind as requests in the order of time."""
    if "arrivals" in next(_rows(path), {}):
        return spread(read_buckets(path), rng)
    return read_requests(path, rng)


def read_requests(path: Path, rng: Random) -> Iterator[Request]:
    """Read a list of requests; a service time that was measured is taken as it is."""
    for row in _rows(path):
        yield Request(float(row["t_s"]), _work(row, rng))


def read_buckets(path: Path) -> list[Bucket]:
    """Read counts per bucket; raise UsageError if their width cannot be told."""
    rows = list(_rows(path))
    try:
        width = float(rows[1]["t_s"]) - float(rows[0]["t_s"])
    except IndexError:
        raise UsageError(f"{path} has fewer than two buckets: their width is unknown") from None
    return [Bucket(float(row["t_s"]), width, int(row["arrivals"]), _law(row)) for row in rows]


def _work(row: _Row, rng: Random) -> float:
    measured = _number(row, "service_s")
    if measured is not None:
        return measured
    tokens = _number(row, "prompt_tokens"), _number(row, "output_tokens")
    return step_seconds(*tokens) * STEPS.draw(rng)


def _law(row: _Row) -> Lognormal:
    """Tell how the works of a bucket are spread: around its mean, as widely as steps are."""
    mean = _number(row, "mean_service_s")
    if mean:
        return Lognormal(mean, STEPS.sigma)
    tokens = _number(row, "mean_prompt_tokens"), _number(row, "mean_output_tokens")
    return STEPS.scaled(step_seconds(*tokens))


def _number(row: _Row, column: str) -> float | None:
    text = row.get(column)
    return float(text) if text else None


def _rows(path: Path) -> Iterator[_Row]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        yield from csv.DictReader(file)
