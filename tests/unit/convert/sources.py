"""Manifests of other autoscalers, read from the files that the end-to-end tests apply too."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from agentscaler.api.policy import Mode
from agentscaler.api.problems import write_path
from agentscaler.convert import converting
from agentscaler.convert.converting import Conversion

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FOLDER = Path(__file__).parent / "manifests"
FILES = sorted(FOLDER.glob("*.yaml"))

Document = dict[str, Any]


def documents(name: str) -> list[Document]:
    """Read what can be converted in a file."""
    read = yaml.safe_load_all((FOLDER / name).read_text())
    return [dict(found.body) for document in read for found in converting.find(document)]


def convert(body: Mapping[str, Any], mode: Mode = Mode.RECOMMEND) -> Conversion:
    return converting.convert(body, mode=mode, now=NOW)


def converted(name: str) -> Conversion:
    """Convert the only document of a file."""
    (body,) = documents(name)
    return convert(body)


def notes_of(result: Conversion) -> dict[str, str]:
    """Give what is told of each field of the source."""
    return {write_path(note.path): note.sentence for note in result.notes}


def lost_by(result: Conversion) -> set[str]:
    """Give the fields of the source that are left out."""
    return {write_path(note.path) for note in result.notes if note.lost}


def metric_of(result: Conversion, name: str) -> Document:
    found: Document = next(
        each for each in result.policy["spec"]["metrics"] if each["name"] == name
    )
    return found
