"""kwok's Stages with the bed's delays."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bed import nodes

STAGES = {
    nodes.READY_STAGE: "pod-ready",
    nodes.DELETE_STAGE: "pod-delete",
    nodes.COMPLETE_STAGE: "pod-complete",
    nodes.HEARTBEAT_STAGE: "node-heartbeat",
    nodes.INITIALIZE_STAGE: "node-initialize",
}


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Any]:
    for file, name in STAGES.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        stage = {"metadata": {"name": name}, "spec": {"next": {"delete": True}}}
        (tmp_path / file).write_text(yaml.safe_dump(stage))
    text = nodes.stages(tmp_path, start=(3, 6.5), stop=(0, 0.25))
    return {each["metadata"]["name"]: each["spec"] for each in yaml.safe_load_all(text)}


def test_every_stage_is_kept(written: dict[str, Any]) -> None:
    assert sorted(written) == sorted(STAGES.values())
    assert all(spec["next"] == {"delete": True} for spec in written.values())


def test_start_and_stop_take_their_range_of_milliseconds(written: dict[str, Any]) -> None:
    delays = [written[name]["delay"] for name in ("pod-ready", "pod-delete")]
    ranges = [(d["durationMilliseconds"], d["jitterDurationMilliseconds"]) for d in delays]
    assert ranges == [(3000, 6500), (0, 250)]


def test_annotation_for_the_least_delay_also_moves_the_most(written: dict[str, Any]) -> None:
    delay = written["pod-ready"]["delay"]
    assert nodes.START_DELAY in delay["durationFrom"]["expressionFrom"]
    most = delay["jitterDurationFrom"]["expressionFrom"]
    assert most.index(nodes.START_DELAY_MAX) < most.index("//") < most.rindex(nodes.START_DELAY)


def test_nodes_have_names_and_room() -> None:
    described = list(yaml.safe_load_all(nodes.manifests(2)))
    assert [node["metadata"]["name"] for node in described] == ["node-0", "node-1"]
    assert all(node["status"]["allocatable"] == nodes.CAPACITY for node in described)
