"""Lets drained pods go, as a container that has ended its last request ends its process."""

import asyncio
import contextlib

from kubernetes.aio import client

from tests.bed.fleet.playing import Playing
from tests.bed.fleet.pods import LOST

LOOK_SECONDS = 0.5


# In quotes: the real thing imports all models of Kubernetes, a second of processor time.
async def let_go(pods: "client.CoreV1Api", playing: Playing) -> None:
    """Remove deleted pods without further delay once they are idle, for ever."""
    while True:
        for namespace, pod in playing.drained():
            # Its kubelet may be faster, or the API server away: the next look tells.
            with contextlib.suppress(*LOST):
                await pods.delete_namespaced_pod(pod, namespace, grace_period_seconds=0)
        await asyncio.sleep(LOOK_SECONDS)
