"""What is measured: the processes by their kernel's counters, the operator by its own metrics."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

MIB: Final = 1024 * 1024
_PING_SECONDS: Final = 0.1
DECISIONS: Final = "agentscaler_decisions_total"
RECORDED: Final = "agentscaler_status_patches_total"
PASSES: Final = "agentscaler_pass_duration_seconds_count"
WAITING: Final = "agentscaler_events_waiting"
_NAMES: Final = (
    DECISIONS,
    RECORDED,
    "agentscaler_scalings_total",
    "agentscaler_prometheus_queries_total",
    "agentscaler_api_requests_total",
    "agentscaler_api_throttled_seconds_total",
    "agentscaler_pass_duration_seconds_sum",
    PASSES,
    WAITING,
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Counters at one moment: seconds of CPU by program, and what the operator has counted."""

    at: float
    cpu: Mapping[str, float]
    counted: Mapping[str, float]
    requests: Mapping[str, float] = field(default_factory=dict)

    def since(self, before: "Marks") -> "Marks":
        """Give what was counted between two moments; `at` is the seconds between them."""
        return Marks(
            self.at - before.at,
            _less(self.cpu, before.cpu),
            _less(self.counted, before.counted),
            _less(self.requests, before.requests),
        )


def _less(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0.0) for name, value in now.items()}


def mark(pids: Mapping[str, int], page: str = "") -> Marks:
    """Read all counters; `page` is the address of the operator's metrics, where it runs."""
    cpu = {name: _cpu(pid) for name, pid in pids.items()}
    counted, asked = read(page) if page else ({}, {})
    return Marks(time.monotonic(), cpu, counted, asked)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def read(page: str) -> tuple[dict[str, float], dict[str, float]]:
    """Read the counters of an operator, and its requests by verb, without those of its policies."""
    params = [("name[]", name) for name in _NAMES]
    answer = _session().get(page, params=params, timeout=60)
    counted: defaultdict[str, float] = defaultdict(float)
    asked: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            counted[sample.name] += sample.value
            if sample.name == "agentscaler_api_requests_total":
                asked[f"{sample.labels['verb']} {sample.labels['resource']}"] += sample.value
    return dict(counted), dict(asked)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


class Pulse:
    """How long a process lets a small question wait, and how large it gets, while this is open.

    Ten times a second its page of life is asked for: the answer takes as long as its loop is busy
    with something else.
    """

    def __init__(self, page: str, pid: int) -> None:
        self._page = page
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self.lags: list[float] = []
        self.rss = 0

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def lag(self, share: float) -> float:
        """Give the seconds within which this share of the questions was answered."""
        ordered = sorted(self.lags)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def _beat(self) -> None:
        session = _session()
        while not self._ended.is_set():
            began = time.monotonic()
            session.get(self._page, timeout=60)
            self.lags.append(time.monotonic() - began)
            self.rss = max(self.rss, self._process.memory_info().rss)
            self._ended.wait(max(0.0, _PING_SECONDS - self.lags[-1]))
