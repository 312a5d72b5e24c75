"""Where specs are scored: in this process one by one, or in several processes side by side."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Self

from agentscaler.simulate.backtest import Backtest
from agentscaler.simulate.past import Past
from agentscaler.simulate.tuning import Score, measure


@dataclass(frozen=True, slots=True)
class Alone:
    """Scores one spec after the other, here."""

    backtest: Backtest

    def score(self, part: Past, specs: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Give the scores, in the order of the specs."""
        return [measure(replace(self.backtest, past=part), spec) for spec in specs]


class Beside:
    """Scores specs in `jobs` processes; use it as a context, which ends them."""

    def __init__(self, backtest: Backtest, jobs: int) -> None:
        self._backtest = backtest
        self._pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def score(self, part: Past, specs: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Give the scores, in the order of the specs."""
        backtest = replace(self._backtest, past=part)
        return list(self._pool.map(measure, [backtest] * len(specs), specs))
