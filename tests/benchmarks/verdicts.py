"""What came of a goal of a benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal with what was reached."""

    goal: str
    reached: str
    is_met: bool

    def __str__(self) -> str:
        return f"{'met' if self.is_met else 'MISSED'}: {self.goal}: {self.reached}"
