"""Run the tests on one mutant after another, each in a child, until one fails.

All happens within one session of pytest, which has collected the tests: a child begins with them.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from tempfile import TemporaryFile
from typing import TextIO

import pytest

from tests.mutation.forking import Child, Tell, in_child
from tests.mutation.mutants import Mutant
from tests.mutation.reach import ARGUMENTS
from tests.mutation.swapping import swap

# Of processor time, which a busy machine does not stretch; the tests take some five.
LONGEST_SECONDS = 20
_ALIVE, _DEAD = 0, 3


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    ENDLESS = "endless"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, and the test that gave it."""

    verdict: Verdict
    by: str = ""


class Trials:
    """The collected tests, and whoever runs them on mutants."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        self._items = {item.nodeid: item for item in items}

    def control(self, unchanged: Iterable[Mutant]) -> None:
        """Swap modules for themselves; raise RuntimeError where a test fails although none may."""

        def run(tell: Tell) -> int:
            for each in unchanged:
                swap(each)
            return self._run_all(list(self._items), tell)

        child = in_child(run)
        code, (by, said) = child.wait(), child.read()
        if code != _ALIVE:
            raise RuntimeError(f"without a mutant, {by} fails:\n{said}")

    def begin(self, mutant: Mutant, order: Sequence[str]) -> Child:
        """Start a trial, with the tests in an order."""
        return in_child(lambda tell: self._run(mutant, order, tell))

    def _run(self, mutant: Mutant, order: Sequence[str], tell: Tell) -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_SECONDS, LONGEST_SECONDS))
        try:
            swap(mutant)
        except Exception:  # noqa: BLE001  whatever it is, no test could even begin
            tell("import")
            return _DEAD
        return self._run_all(order, tell)

    def _run_all(self, order: Sequence[str], tell: Tell) -> int:
        items = [self._items[test] for test in order]
        first = _FirstFailure()
        items[0].config.pluginmanager.register(first)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if first.test:
                tell(first.test)
                return _DEAD
        return _ALIVE


class _FirstFailure:
    """Notes the test that failed."""

    test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.test = report.nodeid


class _Session:
    """Has pytest collect, and does with the tests what it is told instead of running them."""

    def __init__(self, work: Callable[[Trials], None]) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._work(Trials(session.items))
        return True


def with_tests(work: Callable[[Trials], None]) -> None:
    """Collect the tests and work with them; raise RuntimeError where that fails."""
    code = pytest.main([*ARGUMENTS, "--capture=no"], plugins=[_Session(work)])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest ended with {code}")


@contextmanager
def aside() -> Iterator[TextIO]:
    """Keep what pytest writes away from the screen; give the screen."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w") as screen, TemporaryFile() as written:
        os.dup2(written.fileno(), 1)
        try:
            yield screen
        finally:
            sys.stdout.flush()
            os.dup2(screen.fileno(), 1)


def ended(trials: Mapping[int, Child]) -> tuple[int, Outcome]:
    """Wait until one of the trials ended."""
    pid, status = os.wait()
    return pid, _outcome(os.waitstatus_to_exitcode(status), trials[pid])


def _outcome(code: int, child: Child) -> Outcome:
    by, said = child.read()
    if code == _ALIVE:
        return Outcome(Verdict.SURVIVED)
    if code == _DEAD:
        return Outcome(Verdict.KILLED, by)
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return Outcome(Verdict.ENDLESS)
    raise RuntimeError(f"a trial ended with {code}:\n{said}")
