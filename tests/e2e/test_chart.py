"""The chart on a real API server: every way to install it is accepted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bed import Bed
from tests.contract.chart_values import VALUES
from tests.e2e.conftest import CHART
from tests.e2e.operators import RELEASE
from tests.e2e.worlds import SYSTEM_NAMESPACE

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def watched(installed: Bed) -> Iterator[None]:
    """Have the namespaces that the values name."""
    names = VALUES["namespaced"]["watchNamespaces"]
    for name in names:
        installed.kubectl("create", "namespace", name)
    yield
    installed.kubectl("delete", "namespace", *names, "--wait=false")


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_rendered_chart_is_accepted(installed: Bed, tmp_path: Path, values: dict[str, Any]) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"prometheus": {"url": installed.prometheus_url}} | values))
    # Another release's name, and no CRD: the installed one belongs to the installed release.
    text = installed.helm(
        "template", "another", str(CHART), "--namespace", SYSTEM_NAMESPACE, "--values", str(file),
        "--set", "crds.enabled=false",
    )  # fmt: skip
    # The kinds of the Prometheus operator are not known here; promtool reads the rules elsewhere.
    known = [
        each
        for each in yaml.safe_load_all(text)
        if each and not each["apiVersion"].startswith("monitoring.coreos.com")
    ]
    stdin = yaml.safe_dump_all(known)
    accepted = installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=stdin).splitlines()
    assert len(accepted) == len(known)


def test_release_tells_how_to_begin(installed: Bed) -> None:
    notes = installed.helm("get", "notes", RELEASE, "--namespace", SYSTEM_NAMESPACE)
    assert installed.prometheus_url in notes
    assert "kubectl explain asp.spec" in notes
    (manifest,) = notes.split("<<END")[1].split("END")[:1]
    applied = installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=_dedented(manifest))
    assert "my-agent" in applied


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("  ") for line in text.splitlines())
