"""How finely time is cut for a load that repeats: buckets, and their place within the season.

Buckets are numbered from the Unix epoch, so every row of a rhythm shares their borders, and so does
a process that starts later. All of it is UTC: a day has 24 hours here, whatever a time zone does.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from agentscaler.forecast.columns import Doubles

MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
FEWEST: Final = 240
MOST: Final = 1440

Times = TypeVar("Times", float, Doubles)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A season, and the whole number of buckets it is cut into."""

    season: timedelta
    buckets: int

    @classmethod
    def of(cls, season: timedelta, polling: timedelta) -> "Rhythm":
        """Cut a season into buckets of a minute, but into 240 at least and 1440 at most.

        A bucket is never shorter than a second or a poll: it would often be empty.
        """
        width = min(max(MINUTE, season / MOST), season / FEWEST)
        return cls(season, max(1, season // max(width, polling, SECOND)))

    @property
    def bucket(self) -> timedelta:
        """Tell the width of a bucket."""
        return self.season / self.buckets

    def number(self, moment: datetime) -> int:
        """Tell the bucket that a moment lies in, counted from the epoch."""
        return int(self.position(moment.timestamp()))

    def position(self, seconds: Times) -> Times:
        """Count the buckets from the epoch to moments given in seconds since then."""
        return seconds * self.buckets / self.season.total_seconds()
