"""What is converted from other autoscalers' manifests passes a real API server."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agentscaler.cli import convert
from tests.bed import Bed
from tests.unit.convert.sources import FILES

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("mode", ["Recommend", "Auto"])
def test_converted_manifest_applies(installed: Bed, file: Path, mode: str) -> None:
    done = CliRunner().invoke(convert.command, [str(file), "--mode", mode])
    assert done.exit_code == 0
    policies = done.stdout.replace("namespace: agents", "namespace: default")
    said = installed.kubectl("create", "--dry-run=server", "-f", "-", stdin=policies)
    assert said.count("(server dry run)") == policies.count("kind: AgentScalingPolicy")


def test_hpa_that_is_converted_is_one_that_the_server_takes(installed: Bed) -> None:
    """The manifests of HPAs are real ones: the same server takes them."""
    for file in FILES:
        if file.stem.startswith("hpa"):
            text = file.read_text().replace("namespace: agents", "namespace: default")
            said = installed.kubectl("create", "--dry-run=server", "-f", "-", stdin=text)
            assert "(server dry run)" in said
