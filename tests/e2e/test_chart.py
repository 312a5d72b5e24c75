"""The chart on a real API server: every way to install it is accepted, all namespaces or some."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bed import Bed, BedError
from tests.contract.chart_values import VALUES, WITH_GATEWAY
from tests.e2e.conftest import CHART
from tests.e2e.monitoring_kinds import KINDS
from tests.e2e.operators import RELEASE
from tests.e2e.worlds import SYSTEM_NAMESPACE

pytestmark = pytest.mark.e2e

WATCHED: list[str] = VALUES["namespaced"]["watchNamespaces"]
WAYS = VALUES | WITH_GATEWAY


@pytest.fixture(scope="module")
def furnished(installed: Bed) -> Iterator[Bed]:
    """Have the namespaces and the kinds that the values name."""
    for name in WATCHED:
        installed.kubectl("create", "namespace", name)
    for kind in KINDS:
        installed.kubectl("apply", "--filename=-", stdin=json.dumps(kind))
    names = [kind["metadata"]["name"] for kind in KINDS]
    installed.kubectl("wait", "crd", *names, "--for=condition=Established", "--timeout=30s")
    yield installed
    installed.kubectl("delete", "namespace", *WATCHED, "--wait=false")
    installed.kubectl("delete", "crd", *names)


def rendered(bed: Bed, folder: Path, way: str, watched: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Render one way to install the chart, under a release's name that tells the way."""
    base = {"prometheus": {"url": bed.prometheus_url}, "watchNamespaces": [*watched]}
    file = folder / f"{way}.yaml"
    file.write_text(yaml.safe_dump(base | WAYS[way]))
    text = bed.helm(
        *("template", way, str(CHART)),
        *("--namespace", SYSTEM_NAMESPACE, "--values", str(file)),
    )
    return [each for each in yaml.safe_load_all(text) if each]


def accepted(bed: Bed, objects: list[dict[str, Any]]) -> list[str]:
    """Have the API server judge these objects, unknown fields included; give what it says."""
    return bed.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict",
        "--filename=-", stdin=yaml.safe_dump_all(objects), timeout=180,
    ).splitlines()  # fmt: skip


@pytest.mark.parametrize("watched", [[], WATCHED], ids=["all namespaces", "some"])
def test_every_way_to_install_the_chart_is_accepted(
    furnished: Bed, tmp_path: Path, watched: list[str]
) -> None:
    objects = [each for way in WAYS for each in rendered(furnished, tmp_path, way, watched)]
    assert len(accepted(furnished, objects)) == len(objects) > 100


def test_field_that_nobody_knows_is_refused(furnished: Bed, tmp_path: Path) -> None:
    objects = rendered(furnished, tmp_path, "monitored")
    monitor = next(each for each in objects if each["kind"] == "ServiceMonitor")
    monitor["spec"]["endpoints"][0]["honourLabels"] = True
    with pytest.raises(BedError, match="honourLabels"):
        accepted(furnished, [monitor])


def test_release_tells_how_to_begin(installed: Bed) -> None:
    notes = installed.helm("get", "notes", RELEASE, "--namespace", SYSTEM_NAMESPACE)
    assert installed.prometheus_url in notes
    assert "kubectl explain asp.spec" in notes
    (manifest,) = notes.split("<<END")[1].split("END")[:1]
    applied = installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=_dedented(manifest))
    assert "my-agent" in applied


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("  ") for line in text.splitlines())
