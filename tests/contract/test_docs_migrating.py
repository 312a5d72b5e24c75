"""The page on migrating shows what `agentscaler convert` writes; its other manifests are whole."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from agentscaler import promql
from agentscaler.api.policy import Mode
from agentscaler.cli import convert
from agentscaler.convert import converting, keda
from agentscaler.errors import UnconvertibleError

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
FILES = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
EXPORTED = re.findall(r"^\| `([a-z-]+)` \| [^|]* \| `(sum\(.*?)` \|$", PAGE, re.MULTILINE)


def test_page_names_what_stands_in_for_triggers() -> None:
    assert [kind for kind, _ in EXPORTED] == ["kafka", "rabbitmq", "aws-sqs-queue", "redis"]


def test_conversion_is_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hpa.yaml").write_text(FILES["hpa.yaml"])
    (shown,) = re.findall(r"^```console convert\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = CliRunner().invoke(convert.command, ["hpa.yaml"])
    assert shown == f"$ agentscaler convert hpa.yaml\n{done.stdout}"


@pytest.mark.parametrize(("kind", "query"), EXPORTED, ids=[kind for kind, _ in EXPORTED])
def test_trigger_that_is_not_converted_has_a_query_that_stands_in(kind: str, query: str) -> None:
    assert promql.problem_of(query) == ""
    target = {"kind": "Deployment", "name": "research"}
    body = {
        "apiVersion": keda.API_VERSION,
        "kind": keda.KIND,
        "metadata": {"name": "research"},
        "spec": {"scaleTargetRef": target, "triggers": [{"type": kind, "metadata": {}}]},
    }
    with pytest.raises(UnconvertibleError, match=rf"\({kind}\)"):
        converting.convert(body, mode=Mode.AUTO, now=datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize("name", ["scaledobject.yaml", "acting-hpa.yaml"])
def test_manifests_that_act_on_the_count_can_be_read(name: str) -> None:
    (found,) = converting.find(yaml.safe_load(FILES[name]))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    (metric,) = converting.convert(found.body, mode=Mode.AUTO, now=now).policy["spec"]["metrics"]
    assert metric["target"] == {"perReplica": "1"}  # one replica for each that is decided
