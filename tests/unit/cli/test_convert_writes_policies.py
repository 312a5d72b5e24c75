"""agentscaler convert: where it reads, what it prints, how it ends."""

import io
import json
import sys

import pytest
import yaml
from click.testing import CliRunner, Result

from agentscaler import cli
from agentscaler.cli import convert, lint
from agentscaler.errors import UsageError
from tests.unit.convert.sources import FOLDER

HPA = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: research}
spec:
  scaleTargetRef: {kind: Deployment, name: research}
  maxReplicas: 5
  metrics:
    - type: External
      external: {metric: {name: tasks}, target: {type: Value, value: 8}}
    - type: Resource
      resource: {name: disk, target: {type: Utilization, averageUtilization: 5}}
"""
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
SCALED = """apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: mails, namespace: agents}
spec:
  scaleTargetRef: {name: mails}
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://prometheus:9090", query: sum(mails), threshold: "5"}
"""
KEDAS_OWN = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: keda-hpa-mails
  namespace: agents
  labels: {scaledobject.keda.sh/name: mails}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: mails}
  maxReplicas: 100
"""
KAFKA = """apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders, namespace: agents}
spec:
  scaleTargetRef: {name: orders}
  triggers:
    - {type: kafka, metadata: {topic: orders}}
"""


def listed(*texts: str) -> str:
    """Write manifests as kubectl lists them."""
    items = [yaml.safe_load(text) for text in texts]
    return yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}, sort_keys=False)


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(convert.command, arguments, input=stdin)


def end(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    """Convert standard input as the shell would have it; give the code of the end."""
    monkeypatch.setattr(sys, "argv", ["agentscaler", "convert", "-"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_what_is_written_is_what_lint_and_kubectl_take() -> None:
    written = run(str(FOLDER)).stdout
    linted = CliRunner().invoke(lint.command, ["-", "--strict"], input=written)
    assert linted.exit_code == 0, linted.stdout
    policies = list(yaml.safe_load_all(written))
    assert len(policies) == 12
    assert {policy["spec"]["mode"] for policy in policies} == {"Recommend"}


def test_notes_stand_above_the_policy_as_comments() -> None:
    done = run("-", stdin=f"{OTHER}---\n{HPA}")
    assert done.exit_code == 0
    comments = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert comments[0] == "# Converted from HorizontalPodAutoscaler research (stdin). What differs:"
    assert any(line.startswith("# - spec.metrics[1].resource: left out: disk") for line in comments)
    assert done.stdout.index("# -") < done.stdout.index("apiVersion:")


def test_notes_come_as_json_with_their_lines() -> None:
    (told,) = json.loads(run("-", "--output", "json", "--mode", "Auto", stdin=HPA).stdout)
    assert told["source"] == {
        "file": "stdin", "kind": "HorizontalPodAutoscaler", "name": "research",
    }  # fmt: skip
    assert told["policy"]["spec"]["mode"] == "Auto"
    lost = [note for note in told["notes"] if note["lost"]]
    assert [(note["line"], note["field"]) for note in lost] == [(11, "spec.metrics[1].resource")]


def test_strict_ends_with_1_when_something_was_left_out() -> None:
    assert run("-", "--strict", stdin=HPA).exit_code == 1
    whole = HPA[: HPA.index("    - type: Resource")]
    assert run("-", "--strict", stdin=whole).exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OTHER, "nothing to convert: no HorizontalPodAutoscaler, ScaledObject or Knative Service"),
        (
            HPA.replace("value: 8", "value: many"),
            "stdin:9: HorizontalPodAutoscaler research: spec.metrics[0].external.target.value: "
            "'many' is no quantity",
        ),
        (
            HPA.replace("name: research}\n  max", "name: R}\n  max"),
            "stdin:5: HorizontalPodAutoscaler research: spec.scaleTargetRef",
        ),
        (HPA.replace("maxReplicas: 5", "maxReplicas: 0"), "no valid spec.maxReplicas"),
    ],
    ids=["nothing", "value", "name", "bounds"],
)
def test_what_cannot_be_converted_is_misuse_that_names_the_field(text: str, said: str) -> None:
    failure = run("-", stdin=text).exception
    assert isinstance(failure, UsageError)
    assert said in str(failure)


def test_what_a_cluster_lists_is_converted_but_for_kedas_own_and_what_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(monkeypatch, listed(KEDAS_OWN, KAFKA, SCALED)) == 2
    told = capsys.readouterr()
    (policy,) = yaml.safe_load_all(told.out)
    assert (policy["kind"], policy["metadata"]["name"]) == ("AgentScalingPolicy", "mails")
    skipped, failed = told.err.splitlines()
    assert skipped == (
        "stdin:4: HorizontalPodAutoscaler keda-hpa-mails: skipped: "
        "KEDA made it for ScaledObject mails"
    )
    assert failed.startswith(
        "agentscaler: stdin:25: ScaledObject orders: spec.triggers: no trigger"
    )


def test_all_that_fails_is_named_each_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = KAFKA.replace("orders", "bills").replace("kafka", "redis")
    assert end(monkeypatch, f"{KAFKA}---\n{other}---\n{SCALED}") == 2
    told = capsys.readouterr()
    assert told.out.count("kind: AgentScalingPolicy") == 1
    first, second, last = told.err.splitlines()
    assert first.startswith("stdin:6: ScaledObject orders: spec.triggers: ")
    assert second.startswith("stdin:14: ScaledObject bills: spec.triggers: ")
    assert last == "agentscaler: 2 of 3 objects cannot be converted"


def test_kedas_own_hpa_without_its_scaled_object_is_refused() -> None:
    elsewhere = SCALED.replace("namespace: agents", "namespace: others")
    done = run("-", stdin=listed(KEDAS_OWN, elsewhere))
    assert "KEDA made this HPA: convert its ScaledObject mails" in str(done.exception)
    assert "kind: AgentScalingPolicy" in done.stdout


def test_object_that_fails_is_named_even_without_a_name() -> None:
    nameless = KAFKA.replace("metadata: {name: orders, namespace: agents}", "metadata: none")
    assert str(run("-", stdin=nameless).exception).startswith("stdin:3: ScaledObject ?: metadata: ")
