"""Log lines: one JSON object each, the libraries' own included."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest
import structlog

from agentscaler.api.status import Outcome, PolicyStatus
from agentscaler.report import composing, logs
from tests.unit.report.scenes import FACTS, decided, policy, seen


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the loggers of the test run as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_scaling_is_one_line_with_its_decision() -> None:
    stream = io.StringIO()
    logs.configure(logs.JSON, stream=stream)
    status = composing.decided(PolicyStatus(), policy(), seen(), decided(policy(), seen()), FACTS)
    event = status.history[0]
    logs.scaling(logs.logger("agentscaler.control"), "agents/research-agent", event)
    (line,) = lines(stream)
    assert datetime.fromisoformat(str(line.pop("timestamp"))).tzinfo is not None
    assert line == {
        "level": "info",
        "logger": "agentscaler.control",
        "event": "scaling",
        "decision": event.id,
        "policy": "agents/research-agent",
        "outcome": "Pending",
        "before": 4,
        "after": event.to,
        "reason": event.reason,
        "message": event.message,
        "readings": event.signals,
    }


def test_failed_scaling_tells_its_cause() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    status = composing.decided(PolicyStatus(), policy(), seen(), decided(policy(), seen()), FACTS)
    failed = composing.ended(status, status.history[0], Outcome.FAILED, failure="forbidden")
    logs.scaling(logs.logger("x"), "agents/research-agent", failed.history[0])
    assert lines(stream)[0]["failure"] == "forbidden"


def test_lines_of_libraries_look_the_same() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger("kopf.reactor").warning(
        "lost %s", "the watch", extra={"k8s_ref": {"name": "a"}, "settings": object()}
    )
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "logger", "event", "k8s_ref"]
    assert (line["event"], line["k8s_ref"]) == ("lost the watch", {"name": "a"})


def test_traceback_is_one_line_without_local_variables() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    token = "secret-" + "token"
    try:
        int(token[:6])
    except ValueError:
        logs.logger("agentscaler").exception("pass failed")
    (line,) = lines(stream)
    assert "ValueError: invalid literal" in str(line["exception"])
    assert token not in stream.getvalue()


def test_chatty_libraries_are_quiet_below_warnings() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger("kopf.objects").info("handler succeeded")
    logs.logger("agentscaler").debug("unseen")
    logging.getLogger("kopf.objects").error("handler failed")
    assert [line["event"] for line in lines(stream)] == ["handler failed"]


def test_console_form_is_for_people() -> None:
    stream = io.StringIO()
    logs.configure(logs.CONSOLE, level="DEBUG", stream=stream)
    logs.logger("agentscaler.control").debug("pass done", policies=3)
    assert "pass done" in stream.getvalue()
    assert "policies=3" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
