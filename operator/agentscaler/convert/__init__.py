"""Turn the manifests of other autoscalers into policies, with notes on what differs. Pure.

One file per kind of manifest; what several of them say in the same words is read by `resources`,
`labels` and `behavior`. Nothing here reads a file or asks a cluster.
"""
