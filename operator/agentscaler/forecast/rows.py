"""What a policy asks of the forecast: the shape of its row in the bank, and how far it looks."""

from datetime import timedelta
from typing import Final, NamedTuple

from agentscaler.api.policy import Method, PolicySpec
from agentscaler.forecast.bank import Bank

UNKNOWN_LEAD: Final = timedelta(seconds=60)
"""How long a start is taken to need until one was seen."""
_TIME_OF_DAY_LEAD: Final = timedelta(minutes=15)


class Shape(NamedTuple):
    """What a row of the bank is made for; a policy that wants another gets a new row."""

    season: timedelta
    polling: timedelta
    quantile: float
    method: Method
    history: timedelta


def shape_of(spec: PolicySpec) -> Shape:
    """Tell the shape of the row that a policy asks for."""
    prediction = spec.prediction
    return Shape(
        prediction.season,
        spec.polling_interval,
        prediction.quantile,
        prediction.method,
        prediction.history,
    )


def open_row(bank: Bank, shape: Shape) -> int:
    """Open a row of this shape; give its handle."""
    return bank.add(
        season=shape.season,
        polling=shape.polling,
        quantile=shape.quantile,
        method=shape.method,
    )


def reserve(bank: Bank, shape: Shape, count: int) -> None:
    """Make room for so many rows of this shape that are about to be opened."""
    bank.reserve(count, season=shape.season, polling=shape.polling, method=shape.method)


def lookahead(spec: PolicySpec, lead: timedelta | None) -> timedelta:
    """Give how far ahead a policy looks: as set, else its method's, else the time of a start."""
    prediction = spec.prediction
    if prediction.lookahead is not None:
        return prediction.lookahead
    if prediction.method is Method.TIME_OF_DAY:
        return _TIME_OF_DAY_LEAD
    return lead or UNKNOWN_LEAD
