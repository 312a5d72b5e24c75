"""The decision: from a policy, a snapshot and a memory to a number of replicas, and why.

Pure. No I/O, no clock, no logging: the time is part of the snapshot. The same three arguments give
the same decision, in the operator, in a replay of recorded load and in a test.
"""
