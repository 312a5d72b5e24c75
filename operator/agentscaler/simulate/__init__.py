"""Run the production decision under virtual time, on recorded or made load."""

from agentscaler.simulate.pilot import Pilot

__all__ = ["Pilot"]
