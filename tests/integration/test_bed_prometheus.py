"""The bed's Prometheus: real scrapes, faults with the data kept, and history from a file."""

import datetime
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from tests.bed import Bed, BedConfig, BedError
from tests.bed.ports import LOOPBACK
from tests.bed.processes import wait_until

pytestmark = pytest.mark.e2e

PAGE = b'agent_queue_depth{namespace="agents",pod="research-1"} 7\n'
YESTERDAY = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(days=1)


class Page(BaseHTTPRequestHandler):
    """One page of metrics."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with HTTPServer((LOOPBACK, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"{LOOPBACK}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    history = tmp_path_factory.mktemp("history") / "yesterday.om"
    begin = int(YESTERDAY.timestamp())
    samples = [f"agent_load {minute} {begin + 60 * minute}\n" for minute in range(600)]
    history.write_text("# TYPE agent_load gauge\n" + "".join(samples) + "# EOF\n")
    with Bed.up(BedConfig(cluster="local", nodes=1, history=history)) as up:
        yield up


def ask(bed: Bed, query: str, at: datetime.datetime | None = None) -> list[dict[str, str]]:
    """Return labels and value of every series of an instant query."""
    answer = requests.get(
        f"{bed.prometheus_url}/api/v1/query",
        params={"query": query, **({"time": str(at.timestamp())} if at else {})},
        timeout=10,
    )
    answer.raise_for_status()
    result = answer.json()["data"]["result"]
    return [{**series["metric"], "value": series["value"][1]} for series in result]


def test_target_is_scraped_with_the_labels_of_its_page(bed: Bed, page: str) -> None:
    bed.scrape("fleet", page, labels={"tier": "one"})
    wait_until(lambda: bool(ask(bed, "agent_queue_depth")), within=60, what="a sample")
    assert ask(bed, "agent_queue_depth") == [
        {
            "__name__": "agent_queue_depth",
            "namespace": "agents",
            "pod": "research-1",
            "job": "fleet",
            "instance": page,
            "tier": "one",
            "value": "7",
        }
    ]


def test_removed_target_is_scraped_no_more(bed: Bed, page: str) -> None:
    bed.scrape("short", page)
    wait_until(lambda: bool(ask(bed, 'up{job="short"}')), within=60, what="a scrape")
    bed.unscrape("short")
    wait_until(lambda: not ask(bed, 'up{job="short"}'), within=60, what="the end of its series")


def test_stopped_prometheus_refuses_and_comes_back_with_its_data(bed: Bed, page: str) -> None:
    bed.scrape("fleet", page)
    wait_until(lambda: bool(ask(bed, "agent_queue_depth")), within=60, what="a sample")

    bed.stop("prometheus")
    with pytest.raises(requests.ConnectionError):
        ask(bed, "agent_queue_depth")

    bed.unscrape("fleet")
    bed.start("prometheus")
    assert ask(bed, "count_over_time(agent_queue_depth[1m]) > 0")


def test_history_is_known_from_the_start(bed: Bed) -> None:
    fifth_hour = YESTERDAY + datetime.timedelta(hours=5)
    assert ask(bed, "agent_load", fifth_hour) == [{"__name__": "agent_load", "value": "300"}]


def test_configuration_is_what_promtool_accepts(bed: Bed) -> None:
    assert "SUCCESS" in bed.promtool("check", "config", bed.work / "prometheus.yaml")
    targets = json.loads(requests.get(f"{bed.prometheus_url}/api/v1/targets", timeout=10).text)
    assert targets["status"] == "success"


def test_missing_history_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BedError, match="there is no history at"):
        Bed.up(BedConfig(cluster="local", nodes=1, history=tmp_path / "none"))
