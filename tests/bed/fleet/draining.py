"""Lets drained pods go, as a container that has ended its last request ends its process."""

import asyncio
from http import HTTPStatus

from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from tests.bed.fleet.playing import Playing

LOOK_SECONDS = 0.5


async def let_go(pods: client.CoreV1Api, playing: Playing) -> None:
    """Remove deleted pods without further delay once they are idle, for ever."""
    while True:
        for namespace, pod in playing.drained():
            try:
                await pods.delete_namespaced_pod(pod, namespace, grace_period_seconds=0)
            except ApiException as exc:
                if exc.status != HTTPStatus.NOT_FOUND:  # its kubelet was faster
                    raise
        await asyncio.sleep(LOOK_SECONDS)
