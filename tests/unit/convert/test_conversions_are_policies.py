"""Whatever is converted is a policy without an error, and only what is known is converted."""

from pathlib import Path

import pytest

from agentscaler import promql
from agentscaler.analyze import linting
from agentscaler.api.policy import Mode, parse_spec
from agentscaler.convert import converting
from tests.unit.convert.sources import FILES, NOW, convert, documents


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.AUTO], ids=str)
def test_conversion_passes_lint_and_is_read_by_the_operator(file: Path, mode: Mode) -> None:
    bodies = documents(file.name)
    assert bodies
    for body in bodies:
        policy = convert(body, mode).policy
        assert linting.is_policy(policy)
        assert linting.check(policy, now=NOW, judge_query=promql.problem_of) == ()
        assert parse_spec(policy["spec"]).mode is mode


def test_recommending_policy_may_stand_beside_its_source() -> None:
    (body,) = documents("hpa-plain.yaml")
    beside = [note for note in convert(body).notes if note.path == ()]
    assert len(beside) == 1
    assert not [note for note in convert(body, Mode.AUTO).notes if note.path == ()]


def test_list_is_searched_and_other_kinds_are_skipped() -> None:
    service = {"apiVersion": "v1", "kind": "Service"}
    (hpa,) = documents("hpa-plain.yaml")
    listed = {"apiVersion": "v1", "kind": "List", "items": [service, "odd", hpa]}
    assert [found.path for found in converting.find(listed)] == [("items", 2)]
    assert [found.path for found in converting.find(hpa)] == [()]
    assert list(converting.find(service)) == []
    assert list(converting.find({"apiVersion": "example.org/v1", "kind": "ScaledObject"})) == []
    assert list(converting.find({"apiVersion": ["v1"], "kind": {"a": "Service"}})) == []
    assert list(converting.find(None)) == []
