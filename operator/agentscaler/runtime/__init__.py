"""What an agent service embeds: limits, state, batching, pooling, caching, profiling, metrics."""
