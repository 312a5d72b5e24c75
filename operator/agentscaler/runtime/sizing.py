"""How large a batch should be, from how the last one went; pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveSize:
    """Grow by one while requests queue and latency allows, halve when latency suffers.

    Additive increase, multiplicative decrease: careful upwards, quick to let go, hence stable.
    """

    target_seconds: float
    smallest: int = 1
    largest: int = 100

    def __post_init__(self) -> None:
        """Refuse sizes that contradict each other."""
        if not 1 <= self.smallest <= self.largest:
            raise ValueError("sizes must be 1 <= smallest <= largest")

    def after(self, size: int, pending: int, seconds: float) -> int:
        """Give the next size after a batch that took `seconds` and left `pending` in line."""
        if seconds > self.target_seconds:
            return max(self.smallest, size // 2)
        if pending >= size:
            return min(self.largest, size + 1)
        return size
