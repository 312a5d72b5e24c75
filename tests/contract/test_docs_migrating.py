"""The page on migrating shows what `agentscaler convert` writes; its other manifests are whole."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from agentscaler.api.policy import Mode
from agentscaler.cli import convert
from agentscaler.convert import converting

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
FILES = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_conversion_is_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hpa.yaml").write_text(FILES["hpa.yaml"])
    (shown,) = re.findall(r"^```console convert\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = CliRunner().invoke(convert.command, ["hpa.yaml"])
    assert shown == f"$ agentscaler convert hpa.yaml\n{done.stdout}"


@pytest.mark.parametrize("name", ["scaledobject.yaml", "acting-hpa.yaml"])
def test_manifests_that_act_on_the_count_can_be_read(name: str) -> None:
    (found,) = converting.find(yaml.safe_load(FILES[name]))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    (metric,) = converting.convert(found.body, mode=Mode.AUTO, now=now).policy["spec"]["metrics"]
    assert metric["target"] == {"perReplica": "1"}  # one replica for each that is decided
