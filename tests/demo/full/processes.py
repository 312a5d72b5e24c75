"""The processes of the example: Redis, the model's stand-in, agents, the gateway."""

import contextlib
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import redis
from redis.exceptions import RedisError

from tests.bed import BedError
from tests.bed.lifeline import Lifeline
from tests.bed.ports import LOOPBACK, Ports
from tests.bed.processes import Program, answers

EXAMPLE = Path(__file__).parents[3] / "examples" / "research-agent"
AGENT = "research-agent"
FAR = "192.0.2.1"  # of no use but to learn by which address this machine would go there
DRAIN_DELAY_SECONDS = 1


class Processes:
    """Makes programs that log into one folder and end with us; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = Ports()
        self._lifeline = Lifeline()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self._lifeline.close()
        self.ports.release()

    def redis(self) -> tuple[Program, str]:
        """Prepare a Redis that acknowledges only what is on disk; give its URL, too."""
        binary = redis_server()
        port = self.ports.reserve()
        url = f"redis://{LOOPBACK}:{port}/0"
        argv: list[str | Path] = [
            *(binary, "--bind", LOOPBACK, "--port", str(port), "--dir", self.folder),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        ]
        return self._program("redis", argv, _redis_answers(url)), url

    def model(self) -> tuple[Program, str]:
        """Prepare the stand-in for a model provider; give its address, too."""
        address = f"{LOOPBACK}:{self.ports.reserve()}"
        return self._uvicorn("llm", "llm_stub:app", address, {}, "/healthz"), address

    def agent(self, name: str, host: str, environment: Mapping[str, str]) -> tuple[Program, str]:
        """Prepare one replica, named as its pod; give its address, too."""
        address = f"{host}:{self.ports.reserve()}"
        own = {
            "POD_NAME": name,
            "AGENT_NAME": AGENT,
            "DRAIN_DELAY_SECONDS": str(DRAIN_DELAY_SECONDS),
        }
        program = self._uvicorn(name, "agent:app", address, {**own, **environment}, "/readyz")
        return program, address

    def gateway(self, config: Path, admin: str, environment: Mapping[str, str]) -> Program:
        """Prepare `agentscaler gateway`, ready once it knows its backends."""
        program = Path(sys.executable).with_name("agentscaler")
        argv: list[str | Path] = [program, "gateway", f"--config={config}"]
        return self._program("gateway", argv, answers(f"http://{admin}/readyz"), environment)

    def _uvicorn(
        self, name: str, app: str, address: str, environment: Mapping[str, str], probe: str
    ) -> Program:
        host, port = address.rsplit(":", 1)
        argv: list[str | Path] = [
            *(sys.executable, "-m", "uvicorn", f"--app-dir={EXAMPLE}", app),
            *(f"--host={host}", f"--port={port}", "--no-access-log"),
            "--timeout-graceful-shutdown=30",
        ]
        return self._program(name, argv, answers(f"http://{address}{probe}"), environment)

    def _program(
        self,
        name: str,
        argv: Sequence[str | Path],
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        return Program(
            name,
            argv,
            log=self.folder / f"{name}.log",
            ready=ready,
            lifeline=self._lifeline,
            environment=environment,
        )


def redis_server() -> str:
    """Find the program, or say how to get it."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise BedError(
            "redis-server is not on the PATH; install it (apt-get install redis-server, "
            "brew install redis) and try again"
        )
    return binary


def own_address() -> str:
    """Give an address of this machine that an EndpointSlice may hold: loopback is refused there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((FAR, 9))
        except OSError:
            raise BedError(
                "this machine has no network address but loopback, which the API server refuses "
                "for agents; connect it to a network and try again"
            ) from None
        address: str = probe.getsockname()[0]
        return address


def _redis_answers(url: str) -> Callable[[], bool]:
    def probe() -> bool:
        with contextlib.suppress(RedisError, OSError), redis.Redis.from_url(url) as client:
            return bool(client.ping())
        return False

    return probe
