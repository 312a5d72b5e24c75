"""Plays agent Deployments on a bed: real pods, a simulated inside, true metrics.

    with Fleet.up(bed) as fleet:
        fleet.put(AgentConfig(namespace="agents", name="research", load=Steady(rate=2)))
        fleet.load("agents", "research", Steady(rate=20))
        fleet.pin("agents", "research", agent_queue_depth="NaN")

A process of its own follows the pods (readiness, deletion) on the API server, drives a plant of
`agentscaler.simulate` per Deployment in real time, and exports the metrics that the runtime and
the gateway would. Nobody ticks it: a plant moves on when a pod changes or the page is read.
"""

from tests.bed.fleet.config import AgentConfig, Days, FleetConfig, Steady, Trace, Work
from tests.bed.fleet.launch import Fleet

__all__ = ["AgentConfig", "Days", "Fleet", "FleetConfig", "Steady", "Trace", "Work"]
