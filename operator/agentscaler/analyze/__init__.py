"""Name the bottleneck of an agent and what would help. Pure."""
