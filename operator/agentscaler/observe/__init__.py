"""Read the metrics: what to ask as data, and one adapter that asks Prometheus."""
