"""Read manifests from files or standard input, and remember on which line each field stands."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from agentscaler.api import problems
from agentscaler.errors import UsageError

STDIN: Final = "-"
_PATTERNS: Final = ("*.yaml", "*.yml", "*.json")


class _Loader(yaml.SafeLoader):
    """YAML as the API server's clients read it: what looks like a time is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document of a source."""

    source: str
    body: Any
    node: yaml.Node

    @property
    def name(self) -> Any:
        """Give the name of the object, None where its metadata have none."""
        metadata = self.body.get("metadata")
        return metadata.get("name") if isinstance(metadata, Mapping) else None

    def line_of(self, path: problems.Path) -> int:
        """Tell the line of a field, or of the nearest thing around it that is written."""
        node = self.node
        line = node.start_mark.line
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return int(line) + 1


def read_all(sources: tuple[str, ...]) -> Iterator[Manifest]:
    """Read files, all manifests under folders, and "-" for standard input."""
    for source in sources:
        if source == STDIN:
            # Bytes: as text it would be read in the terminal's encoding, whatever that is.
            yield from _documents("stdin", _text("stdin", sys.stdin.buffer.read))
            continue
        for file in _files(Path(source)):
            yield from _documents(str(file), _text(str(file), file.read_bytes))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for pattern in _PATTERNS for file in path.rglob(pattern))
    if not found:
        raise UsageError(f"{path}: no manifest in this folder")
    return found


def _text(source: str, read: Callable[[], bytes]) -> str:
    try:
        return read().decode()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a text file in UTF-8"
        raise UsageError(f"{source}: cannot be read: {reason}") from exc


def _documents(source: str, text: str) -> Iterator[Manifest]:
    try:
        loader = _Loader(text)
        while loader.check_node() and (node := loader.get_node()) is not None:
            yield Manifest(source, loader.construct_document(node), node)
    except yaml.MarkedYAMLError as exc:
        line = f":{exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise UsageError(f"{source}{line}: not YAML: {exc.problem}") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise UsageError(f"{source}: not YAML: {' '.join(str(exc).split())}") from exc
    except RecursionError as exc:
        raise UsageError(f"{source}: not YAML: nested too deeply") from exc


def _child(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line, item
    return None
