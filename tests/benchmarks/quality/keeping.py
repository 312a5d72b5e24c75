"""Results in a file, load by load, so that a long run can be broken off and taken up again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.quality.contest import Result


class Kept:
    """The results of one choice of options, at one commit; without a file, of this run only.

    What a file holds of another commit or other options is dropped.
    """

    def __init__(self, file: Path | None, commit: str, options: Mapping[str, Any]) -> None:
        self._file = file
        self.told: dict[str, Any] = {"commit": commit, "options": dict(options), "worlds": {}}
        if file is not None and file.exists():
            before = json.loads(file.read_text())
            if [before.get("commit"), before.get("options")] == [commit, self.told["options"]]:
                self.told = before

    def of(self, world: str, load: str) -> list[Result] | None:
        """Give what was reached; None where that was not run yet."""
        found = self.told["worlds"].get(world, {}).get(load)
        return None if found is None else [Result(**each) for each in found]

    def keep(self, world: str, load: str, results: Sequence[Result]) -> None:
        """Keep what was reached, also when nothing is to be told of a load."""
        self.told["worlds"].setdefault(world, {})[load] = [asdict(each) for each in results]
        if self._file is not None:
            self._file.write_text(json.dumps(self.told, indent=1) + "\n")
