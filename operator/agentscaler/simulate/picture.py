"""The picture of a backtest: the policy's way through the past, and the fixed fleet beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from agentscaler.simulate import chart
from agentscaler.simulate.backtest import Row
from agentscaler.simulate.chart import Run, Sample
from agentscaler.simulate.past import Past

_MOST: Final = 2000
"""Samples drawn: two for each pixel."""


def picture(past: Past, rows: Sequence[Row], *, title: str) -> str:
    """Draw the first row as SVG."""
    outcome = rows[0].outcome
    moments = outcome.moments[:: max(1, len(outcome.moments) // _MOST)]
    begin = datetime.fromtimestamp(moments[0].at, UTC)
    return chart.draw(
        Run(
            title=title,
            subtitle=f"{outcome.attainment:.2%} in time, {outcome.replica_hours:.1f} replica-hours",
            samples=[
                Sample(each.at, each.in_service, each.waiting, each.wanted, each.ready)
                for each in moments
            ],
            slots=past.slots,
            start=moments[0].at,
            hour_seconds=3600.0,
            hours=(moments[-1].at - moments[0].at) / 3600,
            first_hour=begin.hour + begin.minute / 60,
            fixed=next((row.replicas for row in rows if row.replicas is not None), None),
        )
    )
