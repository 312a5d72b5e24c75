"""The command line ends with a code and at most one line, never with a traceback."""

import sys

import click
import pytest

from agentscaler import __version__, cli
from agentscaler.api import crd
from agentscaler.cli import group
from agentscaler.errors import AgentscalerError, ClusterError, InvalidPolicyError, UsageError


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["agentscaler", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_help_lists_commands_without_importing_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(group.COMMANDS, "absent", group.Entry("Is never imported."))
    assert run(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert "Is never imported." in shown
    assert "Print the CustomResourceDefinition." in shown


def test_shell_completion_knows_the_commands() -> None:
    program = group.agentscaler
    assert program.list_commands(click.Context(program)) == list(group.COMMANDS)


def test_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__


def test_crds_prints_the_definition(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "crds") == 0
    assert capsys.readouterr().out == crd.render()


def test_unknown_command_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "launch") == 2
    assert "No such command 'launch'" in capsys.readouterr().err


def test_command_whose_libraries_are_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(group.COMMANDS, "absent", group.Entry("Is not there.", extra="gateway"))
    assert run(monkeypatch, "absent") == 2
    assert capsys.readouterr().err == (
        "agentscaler: absent needs agentscaler.cli.absent: pip install 'agentscaler[gateway]'\n"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidPolicyError(("spec.mode: wrong",)), 2),
        (UsageError("no such file"), 2),
        (ClusterError("the API server is away"), 1),
        (AgentscalerError("something else"), 1),
    ],
)
def test_error_of_ours_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: AgentscalerError,
    code: int,
) -> None:
    @click.command
    def failing() -> None:
        raise error

    monkeypatch.setattr(group, "agentscaler", failing)
    assert run(monkeypatch) == code
    assert capsys.readouterr().err == f"agentscaler: {error}\n"


def test_base_installation_names_the_extra_of_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "agentscaler.cli.group")
    assert run(monkeypatch, "--help") == 2
    assert capsys.readouterr().err == (
        "agentscaler: the command line needs click: pip install 'agentscaler[operator]'\n"
    )
