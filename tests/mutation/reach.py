"""Which tests reach which lines, and how long each takes: the likely killers go first."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import coverage
import pytest

from tests.mutation.forking import in_child

TESTS = "tests/unit/decide"
ARGUMENTS = ("-q", "-p", "no:cacheprovider", TESTS)


class Reach(NamedTuple):
    """Seconds of each test, and the tests that ran a line of a file."""

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[int, frozenset[str]]]

    def order(self, path: Path, line: int) -> list[str]:
        """Give the tests that ran the line, or all if that was at import; the quick ones first."""
        near = self.lines.get(str(path), {}).get(line, frozenset())
        return sorted(near or self.seconds, key=self.seconds.__getitem__)


class _Observer:
    """Tells the coverage which test runs, and notes the times."""

    def __init__(self, watching: coverage.Coverage) -> None:
        self.watching = watching
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        _forget()  # what an earlier test had computed, this one would not run
        self.watching.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        before = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = before + report.duration


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("agentscaler."):
            for value in vars(module).values():
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()


def measure(folder: Path) -> Reach:
    """Run all tests once, unchanged; raise RuntimeError where one fails."""
    data, times = folder / "reach.coverage", folder / "seconds.json"

    def run(_tell: object) -> int:
        watching = coverage.Coverage(
            config_file=False, data_file=str(data), source_pkgs=["agentscaler.decide"]
        )
        observer = _Observer(watching)
        watching.erase()
        watching.start()
        code = pytest.main([*ARGUMENTS], plugins=[observer])
        watching.stop()
        watching.save()
        times.write_text(json.dumps(observer.seconds))
        return int(code)

    child = in_child(run)
    code, (_, said) = child.wait(), child.read()
    if code:
        raise RuntimeError(f"{TESTS} fails without a mutant:\n{said}")
    found = coverage.CoverageData(str(data))
    found.read()
    return Reach(json.loads(times.read_text()), dict(_lines(found)))


def _lines(data: coverage.CoverageData) -> Iterator[tuple[str, dict[int, frozenset[str]]]]:
    for file in data.measured_files():
        contexts = data.contexts_by_lineno(file)
        yield (
            os.path.realpath(file),
            {line: frozenset(filter(None, tests)) for line, tests in contexts.items()},
        )
