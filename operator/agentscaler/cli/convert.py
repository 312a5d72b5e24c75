"""agentscaler convert: policies of other autoscalers' manifests, with notes on what differs."""

import json
import sys
import textwrap
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import click
import yaml

from agentscaler.api.policy import Mode
from agentscaler.api.problems import Path, Problem, write_path
from agentscaler.cli import manifests
from agentscaler.cli.manifests import Manifest
from agentscaler.clock import SystemClock
from agentscaler.convert import converting
from agentscaler.convert.converting import Conversion, Found
from agentscaler.convert.draft import Note
from agentscaler.errors import UnconvertibleError, UsageError

_LEFT_OUT: Final = 1
_WIDTH: Final = 100


class _Source(NamedTuple):
    """An object of another autoscaler, and the document it stands in."""

    manifest: Manifest
    found: Found

    def say(self, path: Path, sentence: str) -> str:
        line = self.manifest.line_of((*self.found.path, *path))
        return f"{self.manifest.source}:{line}: {self.found.title}: {sentence}"


@dataclass(frozen=True, slots=True)
class _Converted:
    """A conversion and its source; fields of the source are told with their lines."""

    manifest: Manifest
    found: Found
    result: Conversion

    @property
    def is_whole(self) -> bool:
        return not any(note.lost for note in self.result.notes)

    def line_of(self, note: Note) -> int:
        return self.manifest.line_of((*self.found.path, *note.path))

    def in_yaml(self) -> str:
        head = [f"# Converted from {self.found.title} ({self.manifest.source}). What differs:"]
        notes = [line for note in self.result.notes for line in _comment(note)]
        body = yaml.safe_dump(self.result.policy, sort_keys=False, allow_unicode=True, width=_WIDTH)
        return "\n".join([*head, *notes, body])

    def in_json(self) -> dict[str, Any]:
        return {
            "source": {
                "file": self.manifest.source,
                "kind": self.found.body["kind"],
                "name": self.found.body["metadata"]["name"],
            },
            "policy": self.result.policy,
            "notes": [
                {
                    "line": self.line_of(note),
                    "field": write_path(note.path),
                    "lost": note.lost,
                    "message": note.sentence,
                }
                for note in self.result.notes
            ],
        }


@click.command
@click.argument("sources", nargs=-1, required=True, metavar="FILE...")
@click.option("--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option(
    "--mode",
    type=click.Choice([Mode.RECOMMEND.value, Mode.AUTO.value]),
    default=Mode.RECOMMEND.value,
    show_default=True,
    help="Recommend may stand beside the other autoscaler, Auto takes its place.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when something was left out.")
def command(sources: tuple[str, ...], output: str, mode: str, *, strict: bool) -> None:
    """Turn HPAs, KEDA ScaledObjects and Knative Services into policies.

    FILE is a file, a folder, or - for standard input; objects of other kinds are skipped. Notes on
    what differs stand above each policy. What cannot be converted is named, and the exit code is 2
    then; the rest is written all the same.
    """
    found = _without_kept(
        [
            _Source(manifest, found)
            for manifest in manifests.read_all(sources)
            for found in converting.find(manifest.body)
        ]
    )
    if not found:
        raise UsageError(
            "nothing to convert: no HorizontalPodAutoscaler, ScaledObject or Knative Service"
        )
    results = [_convert(source, Mode(mode)) for source in found]
    converted = [result for result in results if isinstance(result, _Converted)]
    if converted:
        _print(converted, output)
    _tell_failures([result for result in results if isinstance(result, str)], len(found))
    if strict and not all(each.is_whole for each in converted):
        sys.exit(_LEFT_OUT)


def _without_kept(sources: list[_Source]) -> list[_Source]:
    """Leave out the HPAs that KEDA made for ScaledObjects which are converted themselves."""
    bodies = [source.found.body for source in sources]
    left = []
    for source in sources:
        if keeper := converting.keeper_of(source.found.body, bodies):
            said = source.say((), f"skipped: KEDA made it for ScaledObject {keeper}")
            click.echo(said, err=True)
        else:
            left.append(source)
    return left


def _convert(source: _Source, mode: Mode) -> _Converted | str:
    """Convert an object, or say why that cannot be done."""
    try:
        result = converting.convert(source.found.body, mode=mode, now=SystemClock().now())
    except UnconvertibleError as exc:
        problem = Problem(exc.path, exc.sentence) if exc.path else exc.sentence
        return source.say(exc.path, str(problem))
    return _Converted(source.manifest, source.found, result)


def _print(converted: list[_Converted], output: str) -> None:
    if output == "json":
        click.echo(json.dumps([each.in_json() for each in converted], indent=2, ensure_ascii=False))
    else:
        click.echo("---\n".join(each.in_yaml() for each in converted), nl=False)


def _tell_failures(failures: list[str], of: int) -> None:
    if len(failures) == 1:
        raise UsageError(failures[0])
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        raise UsageError(f"{len(failures)} of {of} objects cannot be converted")


def _comment(note: Note) -> list[str]:
    what = "left out: " if note.lost else ""
    field = f"{write_path(note.path)}: " if note.path else ""
    return textwrap.wrap(
        f"{field}{what}{note.sentence}",
        _WIDTH,
        initial_indent="# - ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
