"""Where the bed looks for its programs, and what it thinks is missing."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.bed import BedError, builds
from tests.bed.versions import HELM, KUBERNETES, PROMETHEUS, Module


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTSCALER_BED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def put(folder: Path, program: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / program).touch(mode=0o755)
    return folder / program


def test_everything_is_missing_at_first() -> None:
    assert builds.missing() == list(builds.ALL)


def test_built_programs_are_not_missing(cache: Path) -> None:
    helm = put(cache / HELM.key / "bin", "helm")
    assert builds.locate("helm") == helm
    assert builds.missing(["helm", "promtool"]) == ["promtool"]


def test_half_built_program_is_missing(cache: Path) -> None:
    put(cache / HELM.key / "bin", ".helm")
    assert builds.missing(["helm"]) == ["helm"]


def test_programs_of_envtest_are_used_when_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etcd = put(tmp_path / "envtest", "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "envtest"))
    assert builds.locate("etcd") == etcd
    assert builds.missing(["etcd", "kwok"]) == ["kwok"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(PROMETHEUS, version="v0.0.1"), id="version"),
        pytest.param(replace(PROMETHEUS, tags=""), id="tags"),
        pytest.param(replace(PROMETHEUS, stamps={}), id="stamps"),
    ],
)
def test_another_recipe_is_another_build(other: Module) -> None:
    assert other.key != PROMETHEUS.key


def test_staging_parts_have_the_version_of_kubernetes() -> None:
    assert KUBERNETES.staging_version.split(".")[1:] == KUBERNETES.version.split(".")[1:]


def test_build_is_refused_when_the_disk_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "COLD_BUILD_BYTES", 10**18)
    with pytest.raises(BedError, match=r"takes about .* GB of disk, but only .* GB are free at"):
        builds.ensure(Console(quiet=True))
