"""The `AgentScalingPolicy` resource: what a user may write and what the operator writes back.

Models only: no I/O, no clock. The CRD is generated from these models (`crd`), so that the manual
shown by `kubectl explain`, the rules of the API server and the checks of the operator are one text.
"""
