"""What holds for every rule: a candidate is taken, equals share, the same input picks the same."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.gateway.routing.adaptive import Adaptive
from agentscaler.gateway.routing.affinity import Affinity
from agentscaler.gateway.routing.capacity import Capacity
from agentscaler.gateway.routing.hashing import ConsistentHash
from agentscaler.gateway.routing.least_connections import LeastConnections
from agentscaler.gateway.routing.picking import Request, Rule
from agentscaler.gateway.routing.round_robin import RoundRobin
from agentscaler.gateway.routing.sharding import Sharded
from agentscaler.gateway.routing.weighted_response_time import WeightedResponseTime
from tests.unit.gateway.fleets import Seen, drawn_at, fleets, requests, seen_of

RULES: dict[str, Rule] = {
    "round-robin": RoundRobin(),
    "least-connections": LeastConnections(),
    "weighted-response-time": WeightedResponseTime(),
    "adaptive": Adaptive(),
    "capacity": Capacity(),
    "hash": ConsistentHash(),
    "affinity": Affinity(Capacity()),
    "sharded": Sharded(16),
}
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


@each_rule
@given(members=fleets, request_=requests, kept=st.data())
def test_rule_takes_a_candidate_whatever_the_fleet(
    rule: Rule, members: list[Seen], request_: Request, kept: st.DataObject
) -> None:
    count = kept.draw(st.integers(1, len(members)))
    candidates = members[:count]
    assert rule.pick(request_, candidates, members) in candidates


@each_rule
def test_equal_backends_share_evenly_when_requests_have_no_key(rule: Rule) -> None:
    members = seen_of(4)
    picked = Counter(
        rule.pick(drawn_at(number / 1200), members, members).name for number in range(1200)
    )
    assert len(picked) == 4
    assert min(picked.values()) > 210


@each_rule
@given(members=fleets, request_=requests)
def test_rule_repeats_itself_in_another_process_unless_it_takes_turns(
    rule: Rule, members: list[Seen], request_: Request
) -> None:
    if isinstance(rule, RoundRobin):
        return
    assert rule.pick(request_, members, members) == rule.pick(request_, members, members)
