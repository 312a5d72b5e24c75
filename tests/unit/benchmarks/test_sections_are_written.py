"""A benchmark writes its own section of a document, and nothing else."""

from pathlib import Path

import pytest

from tests.benchmarks import sections

OLD = "before\n<!-- begin cost -->\nold\n<!-- end cost -->\nafter\n"


def test_section_is_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(OLD)
    for _ in range(2):
        sections.write(document, "cost", "new\n")
    assert document.read_text() == OLD.replace("old", "new")


def test_document_without_the_section_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(OLD)
    with pytest.raises(ValueError, match="no section"):
        sections.write(document, "reaction", "new")
    assert document.read_text() == OLD
