"""Name what is wrong and what would help: bottlenecks of an agent, pitfalls of a policy. Pure."""
