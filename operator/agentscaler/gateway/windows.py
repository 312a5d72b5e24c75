"""The last responses of one backend: mean time and error ratio, both exact and bounded."""

from collections import deque
from typing import Final

MAX_RESPONSES: Final = 100

# A failing backend is avoided, so nothing would ever push its failures out of the window: they age.
MAX_AGE_SECONDS: Final = 60.0


class ResponseWindow:
    """At most 100 responses, none older than a minute."""

    def __init__(self) -> None:
        self._responses: deque[tuple[float, float, bool]] = deque()
        self._seconds = 0.0
        self._errors = 0

    def __len__(self) -> int:
        return len(self._responses)

    def add(self, at: float, seconds: float, *, failed: bool) -> None:
        """Take in one response that ended `at` and took `seconds`."""
        self._responses.append((at, seconds, failed))
        self._seconds += seconds
        self._errors += failed
        if len(self._responses) > MAX_RESPONSES:
            self._drop_oldest()

    def age(self, now: float) -> None:
        """Forget what is too old."""
        while self._responses and self._responses[0][0] < now - MAX_AGE_SECONDS:
            self._drop_oldest()

    def clear(self) -> None:
        """Forget everything."""
        self._responses.clear()
        self._seconds, self._errors = 0.0, 0

    @property
    def mean_seconds(self) -> float | None:
        """Mean response time; None without responses."""
        # Adding and subtracting floats leaves a rest of about 1e-15, which may be negative.
        return max(0.0, self._seconds / len(self)) if self._responses else None

    @property
    def error_ratio(self) -> float:
        """Failed responses as a ratio; 0 without responses."""
        return self._errors / len(self) if self._responses else 0.0

    def _drop_oldest(self) -> None:
        _, seconds, failed = self._responses.popleft()
        self._seconds -= seconds
        self._errors -= failed
        if not self._responses:
            self._seconds = 0.0
