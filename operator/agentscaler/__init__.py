"""Autoscale LLM agents on Kubernetes by the work they have, and say why.

Three programs share this distribution and import nothing of each other's process: the operator
(`main`), the gateway (`gateway`) and the kit that agent services embed (`runtime`).
"""

__version__ = "0.1.0"
