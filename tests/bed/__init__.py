"""A real Kubernetes control plane and a real Prometheus on this machine, without Docker.

    with Bed.up(BedConfig(start_delay=(3, 6))) as bed:
        bed.kubectl("apply", "-f", "crds/")
        bed.scrape("agents", "127.0.0.1:9000")

`python -m tests.bed` does the same from a shell. Used by the end-to-end tests, the demo and the
benchmarks; nothing of the product may live here or be imported here.
"""

from tests.bed.bed import Bed
from tests.bed.config import BedConfig
from tests.bed.errors import BedError

__all__ = ["Bed", "BedConfig", "BedError"]
