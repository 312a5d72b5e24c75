"""agentscaler explain: the account as text and as JSON, from the object alone."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from agentscaler.act import login
from agentscaler.api.signals import SignalName
from agentscaler.api.status import Outcome, PolicyStatus
from agentscaler.cli import analyze, explain
from agentscaler.decide import decision as decisions
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.errors import NotFoundError, UsageError
from agentscaler.report import account, composing, history, status
from tests.fakes.apiserver import FakeApiServer
from tests.unit.report.scenes import BUSY, FACTS, MINUTE, NOON, decided, outlook, policy, seen

GOLDEN = Path(__file__).parent / "explained.txt"
SPEC: dict[str, Any] = {
    "minReplicas": 1,
    "maxReplicas": 8,
    "mode": "Auto",
    "gates": [{"name": "database", "query": "x", "above": "90%"}],
}


def lived() -> PolicyStatus:
    """Give the status of a policy that grew twice and now meets its bound."""
    acting, recorded, current = policy(**SPEC), PolicyStatus(), 2
    memory = Memory(since=NOON - MINUTE)
    for turn, (queued, active) in enumerate([(3, 4), (12, 8), (6, 16)]):
        snapshot = seen(
            {
                **BUSY,
                SignalName.QUEUE_DEPTH: float(queued),
                SignalName.ACTIVE_REQUESTS: float(active),
                SignalName.CAPACITY: 4.0 * current,
            },
            at=NOON + timedelta(minutes=3 * turn),
            replicas=current,
            outlook=outlook(),
            gates={"database": 0.4 if turn < 2 else Missing(Why.EMPTY, "no series")},
        )
        decision = decided(acting, snapshot, memory)
        recorded = composing.decided(recorded, acting, snapshot, decision, FACTS)
        memory = decision.memory
        if event := history.attempt(recorded.history, decision):
            recorded = composing.ended(recorded, event, Outcome.APPLIED)
            memory, current = decisions.carried_out(decision), decision.replicas
    return recorded


def body(recorded: dict[str, Any] | None, *, generation: int = 3) -> dict[str, Any]:
    return {
        "apiVersion": "agentscaler.dev/v1alpha1",
        "kind": "AgentScalingPolicy",
        "metadata": {
            "namespace": "agents",
            "name": "research-agent",
            "uid": "u",
            "generation": generation,
        },
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "research-agent"}, **SPEC},
        **({} if recorded is None else {"status": recorded}),
    }


def text(told: account.Account) -> str:
    console = Console(width=100, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(explain.render(told))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def test_account_reads_as_a_person_would_tell_it() -> None:
    assert text(account.of(body(status.dump(lived())))) == GOLDEN.read_text()


def test_account_marks_the_step_that_bound_the_decision() -> None:
    told = account.of(body(status.dump(lived())))
    bound = [step["name"] for step in told["decision"]["steps"] if step["binding"]]
    assert bound == ["bounds"]


def test_account_of_a_decision_that_changed_nothing_marks_the_first_step() -> None:
    calm = policy(prediction={"mode": "Off"}, minReplicas=0)
    snapshot = seen({**BUSY, SignalName.QUEUE_DEPTH: 0.0, SignalName.ACTIVE_REQUESTS: 8.0})
    decision = decided(calm, snapshot)
    assert decision.replicas == decision.current
    recorded = composing.decided(PolicyStatus(), calm, snapshot, decision, FACTS)
    steps = account.of(body(status.dump(recorded)))["decision"]["steps"]
    assert [step["binding"] for step in steps] == [True, *[False] * (len(steps) - 1)]


def test_account_of_a_policy_that_nobody_looked_at_says_so() -> None:
    told = text(account.of(body(None)))
    assert told == (
        "research-agent in agents scales Deployment/research-agent between 1 and 8 replicas, "
        "mode Auto\n\n"
        "Nothing was decided yet\n"
        "  Is an operator running, and does it watch this namespace?\n"
    )


def test_account_of_an_older_spec_says_so() -> None:
    told = text(account.of(body(status.dump(lived()), generation=4)))
    assert "This is not the newest spec" in told


def test_account_tells_what_of_a_damaged_status_could_not_be_read() -> None:
    damaged = {**status.dump(lived()), "forecast": "sunny"}
    told = text(account.of(body(damaged)))
    assert "What could not be read of the status\n  status.forecast: " in told
    assert "What it expects" not in told
    assert "What it decided" in told


def test_account_tells_unknown_readings_and_failed_scalings() -> None:
    acting = policy()
    blind = seen({**BUSY, SignalName.LATENCY: Missing(Why.EMPTY, "no series")})
    recorded = composing.decided(PolicyStatus(), acting, blind, decided(acting, blind), FACTS)
    event = recorded.history[0]
    recorded = composing.ended(recorded, event, Outcome.FAILED, failure="forbidden")
    told = text(account.of(body(status.dump(recorded))))
    assert "latency         unknown  no series" in told
    assert "failed: forbidden: 16 busy" in told


def test_account_tells_the_newest_scalings_and_how_many_more_there_are() -> None:
    recorded = lived()
    many = tuple(recorded.history[0].model_copy(update={"id": str(number)}) for number in range(13))
    told = text(account.of(body(status.dump(recorded.model_copy(update={"history": many})))))
    assert "and 3 more in --output json" in told


def test_account_without_a_spec_or_target_still_reads() -> None:
    told = text(account.of({"metadata": {"namespace": "agents", "name": "bare"}}))
    assert told.startswith("bare in agents scales Deployment/? between ? and ? replicas, mode ?\n")


async def _run(server: FakeApiServer, folder: Path, *arguments: str) -> Result:
    kubeconfig = server.kubeconfig(folder)
    runner = CliRunner()
    line = [*arguments, "--kubeconfig", str(kubeconfig)]
    return await asyncio.to_thread(runner.invoke, explain.command, line)


async def test_command_prints_the_account_of_the_policy(tmp_path: Path) -> None:
    async with FakeApiServer() as server:
        server.objects.put("agentscalingpolicies", body(status.dump(lived())))
        result = await _run(server, tmp_path, "research-agent", "-n", "agents")
    assert result.exit_code == 0, result.output
    assert "It stays at 8: 16 busy and 6 waiting" in result.output


async def test_command_gives_the_same_data_as_json(tmp_path: Path) -> None:
    async with FakeApiServer() as server:
        server.objects.put("agentscalingpolicies", body(status.dump(lived())))
        result = await _run(server, tmp_path, "research-agent", "-n", "agents", "-o", "json")
    assert json.loads(result.output) == account.of(body(status.dump(lived())))


async def test_command_says_when_there_is_no_such_policy(tmp_path: Path) -> None:
    async with FakeApiServer() as server:
        result = await _run(server, tmp_path, "absent", "-n", "agents")
    assert isinstance(result.exception, NotFoundError)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            "current-context: b\ncontexts:\n- {name: a, context: {namespace: x}}\n"
            "- {name: b, context: {namespace: agents}}\n",
            "agents",
        ),
        ("current-context: a\ncontexts:\n- {name: a, context: {}}\n", "default"),
        ("", "default"),
    ],
    ids=["named", "unnamed", "empty"],
)
def test_namespace_is_the_one_of_the_context(tmp_path: Path, config: str, expected: str) -> None:
    file = tmp_path / "config"
    file.write_text(config)
    assert login.namespace(file) == expected


def test_namespace_is_default_where_there_is_no_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    assert login.namespace(None) == "default"


def test_kubeconfig_that_makes_no_sense_is_misuse(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("{")
    for command in (explain.command, analyze.command):
        line = ["research-agent", "--kubeconfig", str(file)]
        asked = ["--prometheus-url", "http://127.0.0.1:1"] if command is analyze.command else []
        assert isinstance(CliRunner().invoke(command, [*line, *asked]).exception, UsageError)
