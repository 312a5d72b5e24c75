"""agentscaler convert: where it reads, what it prints, how it ends."""

import json

import pytest
import yaml
from click.testing import CliRunner, Result

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


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(convert.command, arguments, input=stdin)


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
            "stdin:9: spec.metrics[0].external.target.value: 'many' is no quantity",
        ),
        (HPA.replace("name: research}\n  max", "name: R}\n  max"), "stdin:5: spec.scaleTargetRef"),
        (HPA.replace("maxReplicas: 5", "maxReplicas: 0"), "no valid spec.maxReplicas"),
    ],
    ids=["nothing", "value", "name", "bounds"],
)
def test_what_cannot_be_converted_is_misuse_that_names_the_field(text: str, said: str) -> None:
    failure = run("-", stdin=text).exception
    assert isinstance(failure, UsageError)
    assert said in str(failure)
