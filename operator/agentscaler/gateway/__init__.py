"""A reverse proxy in front of agent pods: routes, queues, wakes. A process of its own."""
