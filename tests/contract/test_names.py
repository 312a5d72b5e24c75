"""Names that others rely on: they may be added, never changed in passing."""

import re
from typing import Any

import pytest

from agentscaler import conventions, errors
from agentscaler.cli.group import COMMANDS

EXPORTED = {
    name: value
    for name, value in vars(conventions).items()
    if isinstance(value, str) and value.startswith("agent_")
}


def test_resource_has_its_names() -> None:
    assert conventions.API_VERSION == "agentscaler.dev/v1alpha1"
    assert (conventions.KIND, conventions.SHORT_NAME) == ("AgentScalingPolicy", "asp")
    assert conventions.PLURAL == "agentscalingpolicies"


def test_metrics_of_agents_have_their_names() -> None:
    assert set(EXPORTED.values()) == {
        "agent_queue_depth", "agent_active_requests", "agent_capacity",
        "agent_requests_received_total", "agent_requests_total",
        "agent_request_duration_seconds", "agent_request_wait_seconds",
        "agent_pending_llm_calls", "agent_llm_responses_total",
        "agent_operation_duration_seconds",
    }  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED.values())
def test_metric_name_follows_the_rule(name: str) -> None:
    """Lowercase words, a unit where there is one, `_total` for what only grows."""
    assert re.fullmatch(r"agent(_[a-z]+)+", name)
    assert not name.endswith(("_count", "_sum", "_bucket", "_ms", "_percent"))
    grows = name.endswith(("received_total", "requests_total", "responses_total"))
    assert name.endswith("_total") == grows


def test_commands_have_their_names() -> None:
    assert {"crds", "lint"} <= COMMANDS.keys()
    for name, entry in COMMANDS.items():
        assert re.fullmatch("[a-z]+", name)
        assert entry.summary.endswith(".")


def test_errors_are_one_tree() -> None:
    ours: list[Any] = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and each.__module__ == errors.__name__
    ]
    assert all(issubclass(each, errors.AgentscalerError) for each in ours)
    assert all(each.__name__.endswith("Error") for each in ours)
