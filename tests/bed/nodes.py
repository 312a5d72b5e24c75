"""Simulated nodes, and how fast their pods start and stop.

kwok plays the kubelets by its own Stages; here they only get the delays. A pod may choose its own
by annotations, with durations such as `3s` (a range is drawn from evenly).
"""

from pathlib import Path
from typing import Any

import yaml

ANNOTATION = "bed.agentscaler.dev/"
START_DELAY = ANNOTATION + "start-delay"  # bound to a node until ready, at least
START_DELAY_MAX = ANNOTATION + "start-delay-max"  # at most; the same when absent
STOP_DELAY = ANNOTATION + "stop-delay"  # deleted until gone
STOP_DELAY_MAX = ANNOTATION + "stop-delay-max"

Seconds = tuple[float, float]

# A whole trace's worth of replicas fits, whatever the pods request.
CAPACITY = {"cpu": "1000", "memory": "4Ti", "pods": "5000"}

INITIALIZE_STAGE = "node/fast/node-initialize.yaml"
HEARTBEAT_STAGE = "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml"
READY_STAGE = "pod/fast/pod-ready.yaml"
COMPLETE_STAGE = "pod/fast/pod-complete.yaml"
DELETE_STAGE = "pod/fast/pod-delete.yaml"


def stages(folder: Path, *, start: Seconds, stop: Seconds) -> str:
    """Read kwok's Stages and let pods take their time to start and to stop."""
    unchanged = (INITIALIZE_STAGE, HEARTBEAT_STAGE, COMPLETE_STAGE)
    documents = [_read(folder / name) for name in unchanged]
    documents.append(_delayed(_read(folder / READY_STAGE), start, START_DELAY, START_DELAY_MAX))
    documents.append(_delayed(_read(folder / DELETE_STAGE), stop, STOP_DELAY, STOP_DELAY_MAX))
    return yaml.safe_dump_all(documents)


def manifests(count: int) -> str:
    """Describe the nodes."""
    nodes = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"node-{number}",
                "labels": {
                    "kubernetes.io/hostname": f"node-{number}",
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": "amd64",
                    "topology.kubernetes.io/zone": f"zone-{number % 3}",
                },
            },
            "status": {"allocatable": CAPACITY, "capacity": CAPACITY},
        }
        for number in range(count)
    ]
    return yaml.safe_dump_all(nodes)


def _delayed(stage: dict[str, Any], seconds: Seconds, least: str, most: str) -> dict[str, Any]:
    shortest, longest = (round(1000 * each) for each in seconds)
    # kwok takes the smaller of the two when they are not a range, so the maximum must follow.
    either = f'.metadata.annotations["{most}"] // .metadata.annotations["{least}"]'
    delay = {
        "durationMilliseconds": shortest,
        "durationFrom": {"expressionFrom": f'.metadata.annotations["{least}"]'},
        "jitterDurationMilliseconds": longest,
        "jitterDurationFrom": {"expressionFrom": either},
    }
    return stage | {"spec": stage["spec"] | {"delay": delay}}


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document
