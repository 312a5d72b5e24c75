"""Where specs are scored: in this process one by one, or in several processes side by side."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, Self

from agentscaler.simulate.backtest import Backtest
from agentscaler.simulate.tuning import Part, Score, measure


class Alone:
    """Scores one spec after the other, here."""

    def __init__(self, backtest: Backtest) -> None:
        self._backtest = backtest
        self._parts: dict[Part, Backtest] = {}

    def score(self, part: Part, specs: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Give the scores, in the order of the specs."""
        if part not in self._parts:
            self._parts[part] = self._backtest.between(*part)
        return [measure(self._parts[part], spec) for spec in specs]


class Beside:
    """Scores specs in `jobs` processes; use it as a context, which ends them."""

    def __init__(self, backtest: Backtest, jobs: int) -> None:
        self._pool = ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=_settle_in, initargs=(backtest,)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def score(self, part: Part, specs: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Give the scores, in the order of the specs."""
        return list(self._pool.map(partial(_score, part), specs))


# Of a process that works for `Beside`: what it was given once, and has learned since.
_HERE: list[Alone] = []


def _settle_in(backtest: Backtest) -> None:
    _HERE.append(Alone(backtest))


def _score(part: Part, spec: Mapping[str, Any]) -> Score:
    return _HERE[0].score(part, [spec])[0]
