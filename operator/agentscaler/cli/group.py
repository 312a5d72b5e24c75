"""The command `agentscaler` and the table of its subcommands.

A subcommand is a module of this package with a `command` in it, imported only when it is called,
so that `agentscaler --help` answers at once.
"""

import importlib
from typing import Final, NamedTuple

import click

from agentscaler import __version__
from agentscaler.errors import UsageError


class Entry(NamedTuple):
    """A subcommand: its line in the help, and the extra that brings what it needs."""

    summary: str
    extra: str = "operator"


COMMANDS: Final = {
    "run": Entry("Run the operator."),
    "explain": Entry("Explain the newest decision of a policy."),
    "analyze": Entry("Name what holds the agents back, and whether replicas would help."),
    "crds": Entry("Print the CustomResourceDefinition."),
    "lint": Entry("Check manifests before they are applied."),
    "convert": Entry("Turn manifests of HPA, KEDA or Knative into policies."),
    "gateway": Entry("Run the gateway in front of agent pods.", "gateway"),
    "backtest": Entry("Replay a policy on recorded load before it is applied."),
    "tune": Entry("Propose settings from recorded load."),
}


class Commands(click.Group):
    """Subcommands by the table, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        return entry and _load(cmd_name, entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def _load(name: str, entry: Entry) -> click.Command:
    try:
        module = importlib.import_module(f"agentscaler.cli.{name}")
    except ModuleNotFoundError as exc:
        raise UsageError(
            f"{name} needs {exc.name}: pip install 'agentscaler[{entry.extra}]'"
        ) from exc
    command: click.Command = module.command
    return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def agentscaler() -> None:
    """Autoscale LLM agents on Kubernetes by the work they have, and say why."""
