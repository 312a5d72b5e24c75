"""Links in what we write lead somewhere: to a file, and to a heading in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Link(NamedTuple):
    target: Path
    heading: str


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert [link for link in links_of(page) if not is_there(link)] == []


def test_heading_is_found_by_the_anchor_that_a_link_writes() -> None:
    assert anchor("Coming from HPA or KEDA") == "coming-from-hpa-or-keda"
    assert anchor("Probes, logs, `metrics`") == "probes-logs-metrics"


def links_of(page: Path) -> Iterator[Link]:
    """Give the links to files of ours; others cannot be checked without the network."""
    for written in LINK.findall(CODE.sub("", page.read_text())):
        if "://" in written or written.startswith("mailto:"):
            continue
        path, _, heading = written.partition("#")
        yield Link((page.parent / path).resolve() if path else page, heading)


def is_there(link: Link) -> bool:
    if not link.target.exists():
        return False
    return not link.heading or link.heading in anchors(link.target)


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return {anchor(heading) for heading in HEADING.findall(text)}


def anchor(heading: str) -> str:
    """Make of a heading what the forges make of it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
