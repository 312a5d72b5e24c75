"""`make demo`: a day of agent load in three minutes, on a real control plane.

Every figure and sentence shown is read from the running system. The agents' inside is simulated
(`tests.bed.fleet`); API server, controllers, Prometheus and the operator are real.
"""
