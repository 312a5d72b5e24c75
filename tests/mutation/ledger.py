"""Verdicts that still hold, so that a run can be ended at any time and go on later.

A verdict holds while the module and the tests it rests on are as they were: one file of tests for
a mutant that is dead, all of them for one that survived.
"""

import hashlib
import json
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.reach import TESTS
from tests.mutation.trials import Outcome, Verdict


class Ledger:
    """A file with a line for each verdict; the last one of a mutant counts."""

    def __init__(self, path: Path, sources: dict[str, Path]) -> None:
        self._path = path
        self._modules = {module: _digest(file) for module, file in sources.items()}
        self._tests = {str(file): _digest(file) for file in sorted(Path(TESTS).glob("*.py"))}
        self._verdicts: dict[str, dict[str, str]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self._verdicts[entry["mutant"]] = entry

    def find(self, mutant: Mutant) -> Outcome | None:
        """Give the verdict on a mutant, if one holds."""
        entry = self._verdicts.get(mutant.key)
        if entry is None or entry["rests on"] != self._ground(mutant, entry["by"]):
            return None
        return Outcome(Verdict(entry["verdict"]), entry["by"])

    def add(self, mutant: Mutant, outcome: Outcome) -> None:
        """Write a verdict down."""
        entry = {
            "mutant": mutant.key,
            "verdict": outcome.verdict.value,
            "by": outcome.by,
            "rests on": self._ground(mutant, outcome.by),
        }
        self._verdicts[mutant.key] = entry
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def _ground(self, mutant: Mutant, by: str) -> str:
        killer = self._tests.get(by.partition("::")[0])
        tests = "".join(self._tests.values()) if killer is None else killer
        ground = self._modules[mutant.module] + tests
        return hashlib.sha256(ground.encode()).hexdigest()[:16]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
