"""Trace files in the three forms that are published."""

import gzip
from pathlib import Path

import pytest

from agentscaler.errors import UsageError
from agentscaler.simulate import traces
from agentscaler.simulate.workload import STEPS, Lognormal, chance


def written(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_counts_are_read_with_the_work_their_tokens_mean(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "counts.csv.gz",
        "t_s,arrivals,mean_prompt_tokens,mean_output_tokens",
        "0,3,2000,100",
        "60,0,,",
    )
    first, second = traces.read_buckets(path)
    assert (first.start, first.width, first.arrivals) == (0, 60, 3)
    assert first.work == Lognormal(12.5, STEPS.sigma, 100)
    assert second.work == Lognormal(15, STEPS.sigma, 120)


def test_a_measured_mean_beats_the_tokens(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "counts.csv.gz",
        "t_s,arrivals,mean_prompt_tokens,mean_output_tokens,mean_service_s",
        "0,3,2000,100,4.4",
        "60,1,2000,100,",
    )
    measured, derived = traces.read_buckets(path)
    assert measured.work == Lognormal(4.4, STEPS.sigma)
    assert derived.work.mean == pytest.approx(12.5)


def test_requests_are_read_with_their_measured_work(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "requests.csv",
        "t_s,prompt_tokens,output_tokens,session_id,service_s",
        "0.5,2000,100,a,11.6",
        "2.5,2000,100,a,",
    )
    first, second = traces.read_trace(path, chance(1))
    assert (first.at, first.work) == (0.5, 11.6)
    assert second.at == 2.5
    assert 5 * 0.2 < second.work <= 5 * 20


def test_both_kinds_give_requests_and_the_same_for_a_seed(tmp_path: Path) -> None:
    path = written(tmp_path, "counts.csv", "t_s,arrivals", "0,40", "10,60")
    requests = list(traces.read_trace(path, chance(1)))
    assert len(requests) == 100
    assert requests == list(traces.read_trace(path, chance(1)))
    assert requests != list(traces.read_trace(path, chance(2)))


def test_a_single_bucket_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "counts.csv", "t_s,arrivals", "0,40")
    with pytest.raises(UsageError, match="fewer than two buckets"):
        traces.read_buckets(path)


def test_an_empty_file_has_no_requests(tmp_path: Path) -> None:
    assert not list(traces.read_trace(written(tmp_path, "none.csv", "t_s"), chance(1)))


def test_traces_are_found_in_the_folder_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "agents.60s.csv.gz", "t_s,arrivals", "0,1", "60,1")
    monkeypatch.setenv("AGENTSCALER_TRACES", str(tmp_path))
    assert traces.locate("agents.60s") == path
    with pytest.raises(UsageError, match="set AGENTSCALER_TRACES"):
        traces.locate("absent")
