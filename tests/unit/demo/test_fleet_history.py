"""Past days as Prometheus would have scraped them."""

from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from agentscaler import conventions
from tests.bed.fleet.config import AgentConfig, Days, FleetConfig, Work
from tests.bed.fleet.history import write_history

EPOCH = 1_764_000_000.0
LOAD = Days(peak=10, season=60, work=Work(mean=1))


def parsed(text: str, gauge: str) -> list[Sample]:
    """Parse one family; the parser's check of histograms knows no second timestamp."""
    heading = f"# TYPE {gauge} gauge"
    body = text.partition(heading)[2].partition("# ")[0]
    families = text_string_to_metric_families(  # type: ignore[no-untyped-call]
        f"{heading}{body}# EOF\n"
    )
    samples: list[Sample] = next(iter(families)).samples
    return samples


def test_history_is_ordered_and_repeats_the_days(tmp_path: Path) -> None:
    path = tmp_path / "history.om"
    fleet = FleetConfig(epoch=EPOCH, agents=(AgentConfig(name="research", load=LOAD),))
    write_history(fleet, path, start=-180, end=0, step=1, replicas=5)
    samples = parsed(path.read_text(), conventions.ACTIVE_REQUESTS)
    totals: dict[int, float] = {}
    for sample in samples:
        assert sample.timestamp is not None
        at = round(float(sample.timestamp) - EPOCH)
        totals[at] = totals.get(at, 0) + sample.value
    assert list(totals) == list(range(-179, 1))
    night = sum(totals[at] for at in range(-178, -170))
    noon = sum(totals[at] for at in range(-155, -147))
    assert noon > 3 * night
    assert all(sample.labels["job"] == "fleet" for sample in samples)
