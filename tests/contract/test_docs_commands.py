"""What pages tell a reader to type exists: options, fields, values. Lint says what is shown."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from agentscaler.api import crd
from agentscaler.api.structural import Schema
from agentscaler.cli import group

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
OF_THE_OPERATOR = [
    ROOT / "docs" / name
    for name in ("how-it-decides.md", "operating.md", "tuning.md", "metrics.md")
]
OF_TARGETS = {"spec.replicas"}
FENCED = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
FIELD_PATH = re.compile(r"[a-z]\w*(?:\[\])?(?:\.\w+(?:\[\])?)+")
of_the_operator = pytest.mark.parametrize("page", OF_THE_OPERATOR, ids=lambda page: page.name)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    """Read a page with the lines of each command joined."""
    return page.read_text().replace("\\\n", " ")


def spans(page: Path) -> Iterator[str]:
    """Give the code within sentences."""
    yield from INLINE.findall(FENCED.sub("", text_of(page)))


def commands(page: Path) -> Iterator[list[str]]:
    """Give the words of each agentscaler command, up to a pipe."""
    lines = [line for _, _, body in FENCED.findall(text_of(page)) for line in body.splitlines()]
    for line in [*lines, *spans(page)]:
        for part in line.removeprefix("$ ").split("|"):
            words = part.split("#")[0].split()
            if words[:1] == ["agentscaler"] and len(words) > 1:
                yield words[1:]


def options_of(command: str) -> set[str]:
    found = group.agentscaler.get_command(click.Context(group.agentscaler), command)
    assert found is not None, f"there is no command {command}"
    names = {name for each in found.params for name in each.opts}
    return names | {"-h", "--help"}


@each_page
def test_commands_have_the_options_that_a_page_gives_them(page: Path) -> None:
    for command, *words in commands(page):
        if command.isalpha():
            options = {word.partition("=")[0] for word in words if word.startswith("-")}
            assert options - {"-"} <= options_of(command), (command, words)


@of_the_operator
def test_options_in_sentences_exist(page: Path) -> None:
    known = {name for command in group.COMMANDS for name in options_of(command)}
    named = {re.split("[ =]", span)[0] for span in spans(page) if span.startswith("--")}
    assert named <= known


@of_the_operator
def test_fields_in_sentences_exist(page: Path) -> None:
    schema = properties(crd.resource_schema())
    values = yaml.safe_load((ROOT / "helm" / "agentscaler" / "values.yaml").read_text())
    paths = {
        match[0].replace("[]", "") for span in spans(page) if (match := FIELD_PATH.match(span))
    }
    for path in sorted(paths - OF_TARGETS):
        parts = path.split(".")
        if parts[0] in {"spec", "status"}:
            assert in_schema(schema, parts), path
        elif parts[0] in {*properties(schema["spec"]), *values}:
            assert in_schema(schema, ["spec", *parts]) or in_values(values, parts), path


@each_page
def test_fields_to_explain_exist(page: Path) -> None:
    schema = properties(crd.resource_schema())
    for path in re.findall(r"kubectl explain asp\.([\w.]*\w)", page.read_text()):
        assert in_schema(schema, path.split(".")), path


def properties(node: Schema) -> dict[str, Any]:
    """Give the fields of an object, of what a list holds, or of no other."""
    found: dict[str, Any] = node.get("items", node).get("properties", {})
    return found


def in_schema(fields: dict[str, Any], parts: list[str]) -> bool:
    for part in parts:
        if part == "X":  # any signal
            return True
        if part not in fields:
            return False
        fields = properties(fields[part])
    return True


def in_values(values: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def test_lint_says_what_the_page_shows(tmp_path: Path) -> None:
    """With the manifest's last line it is an error, without it there are warnings."""
    page = ROOT / "docs" / "tuning.md"
    blocks = FENCED.findall(page.read_text())
    start = next(at for at, (_, kind, _) in enumerate(blocks) if kind.strip() == "lint")
    given, *shown = (body for _, _, body in blocks[start : start + 3])
    without = given[: given.rstrip("\n").rfind("\n") + 1]
    assert [lint(tmp_path, text) for text in (given, without)] == shown


def lint(folder: Path, text: str) -> str:
    """Lint a manifest as a reader would; the summary, which goes to the other stream, last."""
    (folder / "policy.yaml").write_text(text)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("agentscaler")), "lint", "policy.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"$ agentscaler lint policy.yaml\n{done.stdout}{done.stderr}"
