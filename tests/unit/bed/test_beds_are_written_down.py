"""The files by which beds of the command line are found, and the words they are started with."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.bed import BedConfig, BedError, state
from tests.bed.__main__ import config_of, parser, words_of
from tests.bed.state import State

OURS = State(
    name="ours",
    owner=psutil.Process().pid,
    owner_created=psutil.Process().create_time(),
    since="2026-01-01T00:00:00+00:00",
    work="/nowhere",
    cluster="local",
    programs={"etcd": 1},
    environment={"KUBECONFIG": "/nowhere/kubeconfig"},
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTSCALER_BED_CACHE", str(tmp_path))


def test_bed_is_found_by_its_name() -> None:
    state.write(OURS)
    assert state.read("ours") == OURS
    assert state.read("theirs") is None
    assert list(state.read_all()) == [OURS]


def test_bed_of_a_dead_owner_is_forgotten() -> None:
    path = state.write(replace(OURS, owner_created=0))
    assert state.read("ours") is None
    assert not path.exists()


def test_second_bed_of_a_name_is_refused() -> None:
    state.write(OURS)
    with pytest.raises(BedError, match="a bed named ours is up already"):
        state.write(OURS)
    assert [path.name for path in state.folder().iterdir()] == ["ours.json"]


@pytest.mark.parametrize("name", ["", "../up", "Upper", "-dash", "a" * 43])
def test_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(BedError, match="is no name for a bed"):
        state.path_of(name)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(BedConfig(cluster="local"), id="defaults"),
        pytest.param(
            BedConfig(
                cluster="kind",
                nodes=2,
                start_delay=(3, 6.5),
                stop_delay=(1, 1),
                scrape_interval="5s",
                history=Path("/tmp/history"),  # noqa: S108
                api_port=6443,
                prometheus_port=9090,
            ),
            id="everything",
        ),
    ],
)
def test_detached_bed_gets_the_configuration_that_was_asked_for(config: BedConfig) -> None:
    assert config_of(parser().parse_args(["up", *words_of(config)])) == config
