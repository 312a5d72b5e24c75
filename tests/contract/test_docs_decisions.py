"""The worked example of docs/how-it-decides.md is what `decide` really says.

The page holds a chain of blocks: a `yaml policy` begins a policy that remembers nothing, each `yaml
seen` is one look at it, and the `text decided` after it is the answer. What is decided is taken as
carried out, so that the next look follows from it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agentscaler.api.policy import parse_spec
from agentscaler.api.signals import SignalName
from agentscaler.decide.decision import Decision, Memory, carried_out
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Pod, Reading, Replicas, Snapshot, Why
from agentscaler.forecast.outlook import Outlook
from agentscaler.quantities import parse_duration

PAGE = Path(__file__).parents[2] / "docs" / "how-it-decides.md"
BLOCK = re.compile(r"^```(?:yaml|text) (policy|seen|decided)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DAY = "2026-11-24"
NOBODY = parse_spec({"scaleTargetRef": {"name": "nobody"}})


class Answer(NamedTuple):
    told: str
    written: str


def test_worked_example_is_what_decide_says() -> None:
    answers = list(worked(PAGE.read_text()))
    assert len(answers) >= 10
    for answer in answers:
        assert answer.written == answer.told


def worked(page: str) -> Iterator[Answer]:
    """Run the page's blocks; give each answer beside the one that is written."""
    policy, memory, told = NOBODY, Memory(), ""
    for kind, text in BLOCK.findall(page):
        match kind:
            case "policy":
                policy = parse_spec(yaml.safe_load(text))
                memory = Memory()
            case "seen":
                decision = decide(policy, snapshot(yaml.safe_load(text)), memory)
                # Between two looks of the page are others, of which there is nothing to tell.
                memory, told = replace(carried_out(decision), last=None), tell(decision)
            case _:
                yield Answer(told, text)


def tell(decision: Decision) -> str:
    """Write a decision as the page does: its stages, then the sentence."""
    steps = [
        f"{step.name:13} {step.before:>2} -> {step.after:>2}  {step.message}\n"
        for step in decision.steps
    ]
    hint = f"  ({decision.hint})\n" if decision.hint else ""
    return f"{''.join(steps)}\n{decision.reason}: {decision.message}\n{hint}"


def snapshot(seen: dict[str, Any]) -> Snapshot:
    """Read one look."""
    return Snapshot(
        now=moment(seen["at"]),
        replicas=Replicas(**seen["replicas"]),
        signals={SignalName(name): reading(given) for name, given in seen["signals"].items()},
        metrics=readings(seen.get("metrics", {})),
        gates=readings(seen.get("gates", {})),
        outlook=outlook(seen["forecast"]) if "forecast" in seen else None,
        providers=readings(seen.get("providers", {})),
        pods=tuple(pod(*each) for each in seen["pods"].items()) if "pods" in seen else None,
    )


def pod(name: str, given: Any) -> Pod:
    """Read a pod: what it serves, and since when it has been waited for."""
    if not isinstance(given, dict):
        return Pod(name, reading(given))
    return Pod(name, reading(given["inFlight"]), draining_since=moment(given["since"]))


def moment(time: str) -> datetime:
    return datetime.fromisoformat(f"{DAY}T{time}").replace(tzinfo=UTC)


def readings(given: dict[str, Any]) -> dict[str, Reading]:
    return {name: reading(value) for name, value in given.items()}


def reading(given: Any) -> Reading:
    if isinstance(given, str):
        return Missing(Why(given))
    return float(given)


def outlook(given: dict[str, Any]) -> Outlook:
    return Outlook(
        **{"method": "Mixture", **given, "lookahead": parse_duration(given["lookahead"])}
    )
