"""Specs as people write them, to be bent by single tests."""

from typing import Any

import pytest

from agentscaler.api.policy import PolicySpec, parse_spec
from agentscaler.errors import InvalidPolicyError

TARGET = {"name": "research"}
METRIC = {"name": "tickets", "query": "sum(tickets)", "target": {"perReplica": 20}}
GATE = {"name": "database", "query": "max(used)", "above": "90%"}
SCHEDULE = {"name": "day", "start": "0 7 * * *", "end": "0 20 * * *", "minReplicas": 2}


def parsed(**spec: Any) -> PolicySpec:
    return parse_spec({"scaleTargetRef": TARGET, **spec})


def problems(**spec: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidPolicyError) as refused:
        parsed(**spec)
    return refused.value.problems
