"""A model provider with a limit: beyond it, everybody's calls are slower."""

import math
from dataclasses import dataclass
from typing import Final

LLM_SHARE: Final = 0.8
"""Part of a request's work that is spent waiting for model calls."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Answers at full speed up to `most_calls` at once."""

    most_calls: float = math.inf

    def calls(self, in_service: int) -> float:
        """Tell the mean number of calls in flight."""
        return LLM_SHARE * in_service

    def pace(self, in_service: int) -> float:
        """Tell the seconds of work that one second achieves; below 1 beyond the limit."""
        slower = max(1.0, self.calls(in_service) / self.most_calls)
        return 1 / (1 - LLM_SHARE + LLM_SHARE * slower)
