"""Forecasts of the load of agents, in slots (requests in service or waiting).

Pure: arrays and numbers, no I/O and no clock. Costs O(1) per sample and policy; the state of all
policies lies in shared arrays, so that one update serves them all.
"""
