"""agentscaler lint: where it reads, what it prints, how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentscaler.cli import lint
from agentscaler.errors import UsageError

OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
HEAD = """apiVersion: agentscaler.dev/v1alpha1
kind: AgentScalingPolicy
metadata: {name: research}
spec:
  scaleTargetRef: {name: research}
"""
TYPO = HEAD + "  minReplica: 2\n"
PITFALL = HEAD + "  minReplicas: 4\n  maxReplicas: 4\n"
PAST = HEAD + "  override: {replicas: 2, until: 2020-01-01T00:00:00Z}\n"
CRON = (
    HEAD
    + """  schedules:
    - name: day
      start: 0 7 * *
      end: 0 20 * * *
      minReplicas: 2
"""
)


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(lint.command, arguments, input=stdin)


def test_clean_manifest_ends_with_0(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(HEAD)
    done = run(str(file))
    assert (done.exit_code, done.stdout, done.stderr) == (
        0, "", "1 policy: 0 errors, 0 warnings\n",
    )  # fmt: skip


def test_error_names_file_line_and_fix_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"{OTHER}---\n{TYPO}")
    done = run(str(file))
    assert done.exit_code == 1
    assert done.stdout == (
        f"{file}:10: error: spec.minReplica: unknown field: did you mean minReplicas?\n"
    )


def test_line_of_a_list_item_is_found() -> None:
    assert run("-", stdin=CRON).stdout.startswith("stdin:8: error: spec.schedules[0].start:")


def test_problem_of_what_is_not_written_points_to_what_is_around_it() -> None:
    done = run("-", stdin=HEAD.replace("{name: research}\nspec", "{}\nspec"))
    assert done.stdout.startswith("stdin:3: error: metadata.name: is missing")


def test_warnings_count_only_when_strict() -> None:
    assert run("-", stdin=PITFALL).exit_code == 0
    done = run("-", "--strict", stdin=PITFALL)
    assert done.exit_code == 1
    assert done.stdout.startswith("stdin:7: warning: spec.maxReplicas: ")
    assert done.stderr == "1 policy: 0 errors, 1 warning\n"


def test_moment_without_quotes_is_text() -> None:
    assert "spec.override.until: is in the past" in run("-", stdin=PAST).stdout


def test_query_that_is_no_promql_is_told() -> None:
    done = run("-", stdin=HEAD + '  signals: {queueDepth: {query: "sum("}}\n')
    assert "stdin:6: warning: spec.signals.queueDepth.query: is not PromQL" in done.stdout


def test_findings_come_as_json() -> None:
    done = run("-", "--output", "json", stdin=TYPO)
    assert done.exit_code == 1
    assert json.loads(done.stdout) == [
        {
            "file": "stdin",
            "line": 6,
            "policy": "research",
            "severity": "error",
            "field": "spec.minReplica",
            "message": "unknown field: did you mean minReplicas?",
        }
    ]


def test_findings_of_several_documents_come_in_the_order_of_lines() -> None:
    done = run("-", stdin=f"{TYPO}---\n{CRON}")
    lines = [int(line.split(":")[1]) for line in done.stdout.splitlines()]
    assert lines == sorted(lines)
    assert done.stderr == "2 policies: 2 errors, 0 warnings\n"


def test_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yaml").write_text(TYPO)
    (tmp_path / "b.json").write_text(json.dumps({"kind": "List"}))
    assert run(str(tmp_path)).stderr == "1 policy: 1 error, 0 warnings\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.yaml", None, "absent.yaml: cannot be read: No such file or directory"),
        ("binary.yaml", b"\xff\xfe\x00", "binary.yaml: cannot be read: not a text file"),
        ("broken.yaml", b"a: [1,\nb: {", "broken.yaml:2: not YAML: "),
        ("control.yaml", b"a: \x01", "control.yaml: not YAML: "),
        ("cut.yaml", b"a: !!python/name:os.system x", "cut.yaml:1: not YAML: "),
        ("number.yaml", b"a: !!int many", "number.yaml: not YAML: "),
        ("deep.yaml", b"[" * 5000, "deep.yaml: not YAML: nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_misuse(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    failure = run(str(tmp_path / name)).exception
    assert isinstance(failure, UsageError)
    assert said in str(failure)
    assert "\n" not in str(failure)


def test_standard_input_that_is_no_text_is_misuse() -> None:
    failure = CliRunner().invoke(lint.command, ["-"], input=HEAD.encode("utf-16")).exception
    assert isinstance(failure, UsageError)
    assert str(failure) == "stdin: cannot be read: not a text file in UTF-8"


@pytest.mark.parametrize("metadata", ["odd", "null", "[name]"])
def test_finding_of_metadata_that_are_none_comes_as_json(metadata: str) -> None:
    text = HEAD.replace("{name: research}\nspec", f"{metadata}\nspec")
    told = json.loads(run("-", "--output", "json", stdin=text).stdout)
    assert {(each["policy"], each["severity"]) for each in told} == {(None, "error")}


def test_folder_without_manifests_is_misuse(tmp_path: Path) -> None:
    failure = run(str(tmp_path)).exception
    assert isinstance(failure, UsageError)
    assert "no manifest in this folder" in str(failure)
