"""agentscaler explain: tell what a policy sees, what was decided, how, and what would change it."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agentscaler.act import client, login, policies
from agentscaler.report import account
from agentscaler.report.account import Account
from agentscaler.report.wording import cause, sentence

_OUTCOMES: Final = {
    "Applied": "",
    "Pending": "about to be applied",
    "Recommended": "recommended",
    "Failed": "failed",
}
_TOLD: Final = 10  # scalings; all are in the JSON
_INDENT: Final = (0, 0, 0, 2)


@click.command
@click.argument("name")
@click.option("-n", "--namespace", help="Namespace of the policy; default: the context's.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For people or for machines.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Where the cluster is; default as for kubectl.",
)
def command(name: str, namespace: str | None, output: str, kubeconfig: Path | None) -> None:
    """Explain the newest decision of the policy NAME.

    Reads the policy alone: it needs the right to get it, and no access to the metrics.
    """
    body = asyncio.run(_fetch(kubeconfig, namespace or login.namespace(kubeconfig), name))
    told = account.of(body)
    if output == "json":
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(render(told))


def render(told: Account) -> RenderableType:
    """Lay an account out as a person reads it: from what is seen to what was done before."""
    return Group(
        *_heading(told),
        *_readings(told["readings"]),
        *_decision(told["decision"]),
        *_forecast(told["forecast"]),
        *_limits(told["limits"]["told"]),
        *_candidate(told["candidate"]),
        *_attention(told["attention"]),
        *_history(told["history"]),
        *_remarks(told),
    )


async def _fetch(kubeconfig: Path | None, namespace: str, name: str) -> dict[str, Any]:
    api = await client.connect(kubeconfig)
    try:
        return await policies.read_policy(api, namespace, name)
    finally:
        await api.close()


def _heading(told: Account) -> Iterable[RenderableType]:
    bounds, replicas = told["bounds"], told["replicas"]
    yield Text.assemble(
        (told["policy"], "bold"),
        f" in {told['namespace']} scales {told['target']} between {_or(bounds['min'])} and "
        f"{_or(bounds['max'])} replicas, mode {_or(told['mode'])}",
    )
    if replicas["current"] is not None:
        wanted = "" if replicas["desired"] is None else f", {replicas['desired']} wanted"
        yield Text.assemble(
            (f"{replicas['current']} asked for, {_or(replicas['ready'])} ready{wanted}", "bold"),
            f" (as of {_moment(told['asOf'])})" if told["asOf"] else "",
        )


def _attention(conditions: list[Account]) -> Iterable[RenderableType]:
    if conditions:
        yield from _title("What needs attention")
    for condition in conditions:
        since = _moment(condition["lastTransitionTime"])
        yield _inset(
            Text.assemble(
                (f"{condition['type']} is {condition['status']}", "bold red"),
                f" since {since} ({condition['reason']})",
            )
        )
        yield Padding(Text(condition["message"]), (0, 0, 0, 4), expand=False)


def _readings(readings: list[Account]) -> Iterable[RenderableType]:
    if not readings:
        return
    yield from _title("What it sees")
    table = _table("", "", "")
    for reading in readings:
        if reading["missing"] is None:
            table.add_row(reading["name"], Text(reading["value"], "bold"), reading["meaning"])
        else:
            table.add_row(reading["name"], Text("unknown", "bold red"), reading["missing"])
    table.show_header = False
    yield _inset(table)


def _decision(decision: Account | None) -> Iterable[RenderableType]:
    if decision is None:
        return
    yield from _title("What it decided")
    yield _inset(Text(f"It {decision['message']}.", "bold"))
    yield _inset(Text(f"{decision['reason']}, since {_moment(decision['since'])}"))
    if decision["steps"]:
        yield from _title("How it got there")
        yield _inset(_steps(decision["steps"]))
    if decision["hint"]:
        yield from _title("What would change it")
        yield _inset(Text(sentence(decision["hint"])))


def _steps(steps: list[Account]) -> Table:
    table = _table("", "stage", "before", "after", "why")
    for number in (2, 3):
        table.columns[number].justify = "right"
    for step in steps:
        table.add_row(
            ">" if step["binding"] else "",
            step["name"],
            str(step["before"]),
            str(step["after"]),
            step["message"],
            style="bold" if step["binding"] else "",
        )
    return table


def _forecast(forecast: Account | None) -> Iterable[RenderableType]:
    if forecast is None:
        return
    yield from _title("What it expects")
    yield _inset(
        Text(
            f"{forecast['expected']} busy slots in {forecast['lookahead']}, at most "
            f"{forecast['upper']} ({forecast['method']})"
        )
    )
    trust = "Trusted" if forecast["trusted"] else "Not trusted"
    yield _inset(Text(f"{trust}: {forecast['message']}"))


def _candidate(candidate: Account | None) -> Iterable[RenderableType]:
    if candidate is None:
        return
    yield from _title("What its candidate would do")
    yield _inset(Text(f"It {candidate['message']} ({candidate['reason']})"))
    yield _inset(
        Text(
            f"Since {_moment(candidate['since'])}: {_or(candidate['replicaHours'])} replica-hours "
            f"in place of {_or(candidate['activeReplicaHours'])}; work would have waited for "
            f"{_or(candidate['waiting'])} in place of {_or(candidate['activeWaiting'])}"
        )
    )


def _limits(lines: list[str]) -> Iterable[RenderableType]:
    if lines:
        yield from _title("What it may not outgrow")
    for line in lines:
        yield _inset(Text(line))


def _history(history: list[Account]) -> Iterable[RenderableType]:
    if not history:
        return
    yield from _title("What it did before")
    table = _table("when", "from", "to", "reason", "why")
    for number in (1, 2):
        table.columns[number].justify = "right"
    for event in history[:_TOLD]:
        outcome = _OUTCOMES[event["outcome"]]
        table.add_row(
            _moment(event["time"]),
            str(event["from"]),
            str(event["to"]),
            event["reason"],
            ": ".join(
                part for part in (outcome, event["failure"], cause(event["message"])) if part
            ),
        )
    yield _inset(table)
    if len(history) > _TOLD:
        yield _inset(Text(f"and {len(history) - _TOLD} more in --output json"))


def _remarks(told: Account) -> Iterable[RenderableType]:
    """Say what limits this account itself."""
    if told["asOf"] is None and told["replicas"]["current"] is None and not told["attention"]:
        yield from _title("Nothing was decided yet")
        yield _inset(Text("Is an operator running, and does it watch this namespace?"))
    elif not told["isCurrent"]:
        yield from _title("This is not the newest spec")
        yield _inset(Text("The spec was changed since; the operator has not decided on it yet."))
    if told["unreadable"]:
        yield from _title("What could not be read of the status")
        yield from (_inset(Text(reason)) for reason in told["unreadable"])


def _title(words: str) -> Iterable[RenderableType]:
    yield Text()
    yield Text(words, "bold cyan")


def _inset(inner: RenderableType) -> Padding:
    return Padding(inner, _INDENT, expand=False)


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _moment(written: str) -> str:
    return written.replace("T", " ")


def _or(value: object) -> str:
    return "?" if value is None else str(value)
