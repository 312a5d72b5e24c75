"""agentscaler convert: policies of other autoscalers' manifests, with notes on what differs."""

import json
import sys
import textwrap
from dataclasses import dataclass
from typing import Any, Final

import click
import yaml

from agentscaler.api.policy import Mode
from agentscaler.api.problems import Problem, write_path
from agentscaler.cli import manifests
from agentscaler.cli.manifests import Manifest
from agentscaler.clock import SystemClock
from agentscaler.convert import converting
from agentscaler.convert.converting import Conversion, Found
from agentscaler.convert.draft import Note
from agentscaler.errors import UnconvertibleError, UsageError

_LEFT_OUT: Final = 1
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class _Converted:
    """A conversion and its source; fields of the source are told with their lines."""

    manifest: Manifest
    found: Found
    result: Conversion

    @property
    def title(self) -> str:
        metadata = self.found.body["metadata"]
        return f"{self.found.body['kind']} {metadata['name']}"

    @property
    def is_whole(self) -> bool:
        return not any(note.lost for note in self.result.notes)

    def line_of(self, note: Note) -> int:
        return self.manifest.line_of((*self.found.path, *note.path))

    def in_yaml(self) -> str:
        head = [f"# Converted from {self.title} ({self.manifest.source}). What differs:"]
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
    what differs stand above each policy. Exits with 2 when something cannot be converted.
    """
    converted = [
        _convert(manifest, found, Mode(mode))
        for manifest in manifests.read_all(sources)
        for found in converting.find(manifest.body)
    ]
    if not converted:
        raise UsageError(
            "nothing to convert: no HorizontalPodAutoscaler, ScaledObject or Knative Service"
        )
    if output == "json":
        click.echo(json.dumps([each.in_json() for each in converted], indent=2, ensure_ascii=False))
    else:
        click.echo("---\n".join(each.in_yaml() for each in converted), nl=False)
    if strict and not all(each.is_whole for each in converted):
        sys.exit(_LEFT_OUT)


def _convert(manifest: Manifest, found: Found, mode: Mode) -> _Converted:
    try:
        result = converting.convert(found.body, mode=mode, now=SystemClock().now())
    except UnconvertibleError as exc:
        line = manifest.line_of((*found.path, *exc.path))
        problem = Problem(exc.path, exc.sentence) if exc.path else exc.sentence
        raise UsageError(f"{manifest.source}:{line}: {problem}") from exc
    return _Converted(manifest, found, result)


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
