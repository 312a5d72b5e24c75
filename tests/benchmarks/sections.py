"""Sections of documents that are written by a benchmark, between two comments that name it."""

from pathlib import Path


def write(document: Path, name: str, text: str) -> None:
    """Put a text between the comments of this name; raise ValueError where they are missing."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, opened, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"{document} has no section between {begin} and {end}")
    document.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")
