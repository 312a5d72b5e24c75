"""The search for settings: what is tried, what is kept, and that the rest of the past judges."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from agentscaler.errors import UsageError
from agentscaler.quantities import parse_percent
from agentscaler.simulate import knobs
from agentscaler.simulate.backtest import Backtest
from agentscaler.simulate.benches import Alone, Beside
from agentscaler.simulate.past import Past
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.tuning import Part, Score, Tuner, split

HOUR = 3600.0
START = 1_700_006_400.0  # at midnight
SPEC: dict[str, Any] = {"scaleTargetRef": {"name": "agent"}, "maxReplicas": 20}


def load(hours: float, rate: float = 0.02) -> Past:
    at = START + np.arange(0, hours * HOUR, 1 / rate)
    work = np.full(len(at), 10.0)
    return Past(start=START, end=START + hours * HOUR, at=at, work=work, slots=2, start_up=30.0)


class Table:
    """Scores by target utilization alone: dear and safe, or cheap and late on the second part."""

    def __init__(self, *, surprise: str = "") -> None:
        self.surprise = surprise
        self.parts: list[float] = []

    def score(self, part: Part, specs: Sequence[Mapping[str, Any]]) -> list[Score]:
        self.parts += [part.start] * len(specs)
        return [self._score(spec, is_second=part.start > START) for spec in specs]

    def _score(self, spec: Mapping[str, Any], *, is_second: bool) -> Score:
        text = spec.get("demand", {}).get("targetUtilization", "70%")
        share = parse_percent(text)
        late = 0.5 if is_second and text == self.surprise else max(0.0, share - 0.92)
        return Score(attainment=1 - late, replica_hours=10 / share, flaps=0)


def propose(bench: Table, *, trials: int = 200) -> Any:
    return Tuner(Backtest(SPEC, load(10)), bench, trials).propose()


def test_cheapest_settings_that_hold_are_proposed() -> None:
    proposal = propose(Table())
    assert knobs.changes(SPEC, proposal.proposed.spec) == {"demand": {"targetUtilization": "90%"}}
    assert proposal.present.spec == SPEC


def test_settings_that_fit_the_first_part_alone_are_not_proposed() -> None:
    proposal = propose(Table(surprise="90%"))
    assert proposal.proposed.spec == SPEC or proposal.proposed.judged.attainment >= 0.99


def test_curve_has_what_nothing_beats_and_the_cheapest_first() -> None:
    curve = propose(Table()).curve
    hours = [trial.tuned.replica_hours for trial in curve]
    shares = [trial.tuned.attainment for trial in curve]
    assert hours == sorted(hours)
    assert shares == sorted(set(shares))


def test_no_more_is_tried_than_allowed() -> None:
    bench = Table()
    proposal = propose(bench, trials=5)
    assert proposal.tried == 5
    assert bench.parts.count(START) == 5


def test_nothing_is_tried_twice() -> None:
    bench = Table()
    proposal = propose(bench)
    assert bench.parts.count(START) == proposal.tried


@pytest.mark.parametrize(("hours", "border"), [(10, 6), (96, 48), (240, 144)])
def test_past_is_split_in_two_at_midnight_where_there_are_days(hours: int, border: int) -> None:
    first, second = split(load(hours, rate=0.001))
    assert first.end == second.start == START + border * HOUR
    assert (first.start, second.end) == (START, START + hours * HOUR)


def test_past_of_an_hour_is_too_short() -> None:
    with pytest.raises(UsageError, match="at least two hours"):
        split(load(1))


@pytest.mark.parametrize("strategy", ["demand", "threshold"])
def test_every_value_of_every_knob_is_one_that_the_api_takes(strategy: str) -> None:
    spec = {**SPEC, strategy: {}}
    for knob in knobs.knobs_of(Pilot(spec).policy.spec):
        for value in knob.values:
            changed = knobs.turned(spec, knob.path, value)
            Pilot(changed)  # or it raises
            assert len(list(knobs.settings(knobs.changes(spec, changed)))) == 1


def test_settings_are_told_without_the_part_they_are_in() -> None:
    patch = {"demand": {"wait": {"attainment": "95%"}}, "prediction": {"mode": "Observe"}}
    assert list(knobs.settings(patch)) == ["wait.attainment 95%", "mode Observe"]


def test_scores_are_the_same_in_this_process_and_beside_it() -> None:
    backtest = Backtest(SPEC, load(0.5))
    specs = [SPEC, knobs.turned(SPEC, ("demand", "targetUtilization"), "95%")]
    with Beside(backtest, 1) as beside:
        part = Part(START, START + 0.4 * HOUR)
        assert beside.score(part, specs) == Alone(backtest).score(part, specs)
