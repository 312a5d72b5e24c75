"""The ablation takes out what it says, and a long run is taken up where it was broken off."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agentscaler.forecast.mixture import EXPERTS, Mixture
from agentscaler.simulate.past import MONDAY
from agentscaler.simulate.scalers import Sight
from tests.benchmarks.quality import report
from tests.benchmarks.quality.contest import Result
from tests.benchmarks.quality.keeping import Kept
from tests.benchmarks.quality.parts import PARTS, Lacking

SPEC = {"scaleTargetRef": {"name": "agent"}, "maxReplicas": 50}
LEANER = Result("agentscaler", "defaults", 0.995, 1.1, 10.0)
BY_NAME = {part.name: part for part in PARTS}


def lacking(name: str) -> Lacking:
    return BY_NAME[name].without(SPEC)


def polls(scaler: Lacking, loads: list[float]) -> list[int]:
    counts, current = [], 20
    for number, load in enumerate(loads):
        readings = {"activeRequests": load, "queueDepth": 0.0, "capacity": 4.0 * current}
        seen = Sight(MONDAY + 15.0 * number, {**readings, "waitSeconds": 0.0}, current, current, 0)
        current = scaler.decide(seen)
        counts.append(current)
    return counts


def test_without_the_level_the_samples_are_followed() -> None:
    jumping = [80.0, 120.0] * 40
    whole, part = lacking("without the window"), lacking("without the level")
    polls(part, jumping)
    assert part.inner.pilot._memory.level is not None
    assert part.inner.pilot._memory.level.changes == 0
    polls(whole, jumping)
    assert whole.inner.pilot._memory.level is not None
    assert whole.inner.pilot._memory.level.changes == len(jumping) - 1


def test_without_waits_no_reserve_is_learned() -> None:
    part = lacking("without waits: queueing theory")
    polls(part, [80.0] * 4)
    assert part.inner.pilot._memory.reserve is None


def test_every_expert_is_silenced_once() -> None:
    silent = [expert for part in PARTS for expert in part.silent]
    assert sorted(silent) == list(range(len(EXPERTS)))


def test_silent_experts_have_no_say() -> None:
    for part in PARTS:
        if not part.silent:
            continue
        scaler = part.without(SPEC)
        polls(scaler, [80.0] * 3)
        foresight = scaler.inner.pilot._foresight
        assert foresight is not None
        mixture = foresight._bank._cohorts[0].forecaster
        assert isinstance(mixture, Mixture)
        mute = np.isinf(mixture._trial).all(axis=(0, 2))
        assert set(np.flatnonzero(mute).tolist()) == set(part.silent)


def test_kept_results_are_taken_up_again(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    Kept(file, "abc", {"days": 1.0}).keep("usual", "a", [LEANER])
    again = Kept(file, "abc", {"days": 1.0})
    assert again.of("usual", "a") == [LEANER]
    assert again.of("usual", "b") is None


@pytest.mark.parametrize(("commit", "days"), [("abd", 1.0), ("abc", 2.0)], ids=["commit", "cut"])
def test_results_of_another_run_are_dropped(tmp_path: Path, commit: str, days: float) -> None:
    file = tmp_path / "figures.json"
    Kept(file, "abc", {"days": 1.0}).keep("usual", "a", [LEANER])
    assert Kept(file, commit, {"days": days}).of("usual", "a") is None


def test_section_tells_commit_arguments_and_tables() -> None:
    worse = replace(LEANER, variant="without the level", cost=1.2)
    table = report.markdown("usual", {"a.60s": [LEANER, worse], "b": []})  # b says nothing
    told = report.section("abc", "--parts", [table])
    assert told.startswith("Commit abc, `ARGS='--parts'`.")
    assert "### Usual" in told
    assert "| agentscaler, without the level | 1.20 at 99.5% | 1.20 | 0 | 0 |" in told
    assert "| | a | geometric mean |" in told
