"""python -m tests.demo.full [--short]: see the package."""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import requests
from rich.console import Console

from agentscaler import conventions
from tests.bed import BedError
from tests.demo import screen
from tests.demo import staging as demo_staging
from tests.demo.full import closing, scenario, staging
from tests.demo.full.closing import Outcome
from tests.demo.full.processes import AGENT
from tests.demo.full.scenario import Scenario
from tests.demo.full.screen import Moment, line, view_of
from tests.demo.full.staging import Stage
from tests.demo.full.users import Users

LOOK_SECONDS = 0.5
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; failures are sentences, not tracebacks."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.full", description=__doc__)
    parser.add_argument("--short", action="store_true", help="half a minute instead of two")
    given = parser.parse_args(arguments)
    console = Console()
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupt)
    try:
        outcome = demonstrate(console, scenario.SHORT if given.short else scenario.FULL)
    except BedError as exc:
        console.print(str(exc), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return INTERRUPTED
    closing.print_figures(console, outcome)
    return 1 if outcome.tally.lost or outcome.tally.mixed else 0


def demonstrate(console: Console, day: Scenario) -> Outcome:
    """Set the stage, live through the day; take everything down in every case."""
    demo_staging.build(console)
    with contextlib.ExitStack() as exits:
        try:
            return live(console, staging.set_up(exits, console), day)
        finally:
            # Taking down is quick; a second Ctrl-C must not leave half of it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def live(console: Console, stage: Stage, day: Scenario) -> Outcome:
    """Let the users come and go, limit the model near the end, and see what came of it."""
    begun, used = time.monotonic(), stage.following.replica_seconds()
    moments: list[Moment] = []
    unlimited = None
    with Users(stage.url, lambda: day.users(time.monotonic() - begun)) as users:
        with screen.shown(console, view_of(day.seconds), line) as show:
            while (at := time.monotonic() - begun) < day.seconds:
                if stage.model and unlimited is None and at >= day.limited_from:
                    unlimited = users.tally.attainment(scenario.WAIT_TARGET)
                    stage.limit_model(scenario.MODEL_LIMIT)
                limited = unlimited is not None
                moments.append(look(stage, day.users(at), users, at, limited=limited))
                show(moments)
                stage.store.start()  # as a cluster starts a container anew that has ended
                time.sleep(LOOK_SECONDS)
        verdict = closing.verdict(stage.bed)
        users.finish()
    lasted = time.monotonic() - begun
    hours = (stage.following.replica_seconds() - used) / 3600
    most = max(1, *(each.serving for each in moments))
    return Outcome(users.tally, unlimited, hours, most, most * lasted / 3600, verdict)


def look(stage: Stage, present: int, users: Users, at: float, *, limited: bool) -> Moment:
    """See the present moment."""
    if stage.following.failure is not None:
        raise BedError(f"following the pods failed: {stage.following.failure}")
    tally, status = users.tally, policy_status(stage)
    return Moment(
        at=at,
        users=present,
        answering=tally.answering,
        waiting=tally.waiting,
        done=tally.requests,
        attainment=tally.attainment(scenario.WAIT_TARGET),
        wanted=status.get("desiredReplicas") or 0,
        serving=stage.following.serving(),
        limited=limited,
        decision=(status.get("decision") or {}).get("message", "no decision yet"),
    )


def policy_status(stage: Stage) -> dict[str, Any]:
    """Read the policy's status; empty before the first decision."""
    path = f"apis/{conventions.API_VERSION}/namespaces/{staging.NAMESPACE}/{conventions.PLURAL}"
    answer = requests.get(f"http://{stage.api}/{path}/{AGENT}", timeout=10).json()
    return answer.get("status") or {}


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
