"""A process that accompanies a bed: the played fleet, the operator, a proxy."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bed.bed import Bed
from tests.bed.lifeline import Lifeline
from tests.bed.ports import LOOPBACK, Ports
from tests.bed.processes import Program, answers


class Companion:
    """A program with one port of its own; a context manager that starts and ends it.

    `{port}` in an argument becomes the port; the program is ready once it answers `probe`.
    """

    def __init__(
        self,
        name: str,
        bed: Bed,
        argv: Sequence[str | Path],
        *,
        probe: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._ports = Ports()
        self._lifeline = Lifeline()
        port = self._ports.reserve()
        self.address = f"{LOOPBACK}:{port}"
        self.program = Program(
            name,
            [str(each).replace("{port}", str(port)) for each in argv],
            log=bed.work / "logs" / f"{name}.log",
            ready=answers(f"http://{self.address}{probe}"),
            lifeline=self._lifeline,
            environment=environment,
        )

    def down(self) -> None:
        """Ask the process to end, and wait for it."""
        self.program.stop()
        self._lifeline.close()
        self._ports.release()

    def __enter__(self) -> Self:
        try:
            self.program.start()
            self.program.wait_ready()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()
