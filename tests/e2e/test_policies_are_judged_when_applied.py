"""The webhook on a real API server: what kubectl says of a policy that is applied."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agentscaler.clock import SystemClock
from agentscaler.handlers.admission import PATH
from tests.bed import Bed
from tests.bed.certificates import Authority
from tests.bed.ports import LOOPBACK, Ports
from tests.e2e.conftest import CHART
from tests.e2e.judged import until_said
from tests.e2e.operators import RELEASE, Operator
from tests.e2e.worlds import Document, World

pytestmark = pytest.mark.e2e


@pytest.fixture
def asked(process: Operator, world: World, tmp_path: Path) -> Iterator[World]:
    """Have the API server ask an operator, the one that stands by, about each policy."""
    authority = Authority(tmp_path, "webhook-ca", SystemClock().now())
    pair = authority.issue_server("webhook")
    shutil.copy(pair.public, tmp_path / "tls.crt")
    shutil.copy(pair.key, tmp_path / "tls.key")
    ports = Ports()
    port = ports.reserve()
    options = (f"--webhook-listen={LOOPBACK}:{port}", f"--webhook-certificate={tmp_path}")
    with Operator(world.bed, "asked", *options):
        hook = configuration(world.bed, f"https://{LOOPBACK}:{port}{PATH}", authority)
        world.bed.kubectl("apply", "--filename=-", stdin=json.dumps(hook))
        yield world
        world.bed.kubectl("delete", "validatingwebhookconfiguration", hook["metadata"]["name"])
    ports.release()


def configuration(bed: Bed, url: str, authority: Authority) -> Document:
    """Give the chart's configuration, for an operator outside of the cluster."""
    text = bed.helm(
        "template", RELEASE, str(CHART), "--show-only", "templates/webhook.yaml",
        "--set", f"webhook.enabled=true,webhook.failurePolicy=Fail,prometheus.url={url}",
    )  # fmt: skip
    found = [each for each in yaml.safe_load_all(text) if each]
    (hook,) = [each for each in found if each["kind"] == "ValidatingWebhookConfiguration"]
    bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
    hook["webhooks"][0]["clientConfig"] = {"url": url, "caBundle": bundle}
    made: Document = hook
    return made


def test_errors_refuse_a_policy_and_warnings_are_shown(asked: World) -> None:
    never = {"name": "day", "start": "0 25 * * *", "end": "0 9 * * *", "minReplicas": 2}
    until_said(
        "denied the request: spec.schedules[0].start: bad hour", asked, "first", schedules=[never]
    )
    until_said(
        "Warning: spec.threshold.scaleUp.cooldown: 20s has no effect",
        asked, "first", pollingInterval="30s", threshold={"scaleUp": {"cooldown": "20s"}},
    )  # fmt: skip
    asked.policy("first", "agent")
    until_said("Policy first is older and scales the same target", asked, "second")
