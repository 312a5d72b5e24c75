"""What happens when: the users of a compressed day, and the model's limit near its end."""

import math
from dataclasses import dataclass

WAIT_TARGET = 2.0
MODEL_LIMIT = 4


@dataclass(frozen=True)
class Scenario:
    """A day of `seconds`; the model refuses calls from `limited_from` on, to the end."""

    seconds: float = 140.0
    limited_from: float = 100.0
    most_users: int = 18
    least_users: int = 3

    def users(self, at: float) -> int:
        """Tell how many users there are `at` seconds after the day began.

        Two peaks: one that replicas answer, and one against the model's limit.
        """
        wave = math.sin(2 * math.pi * at / self.limited_from - math.pi / 2) / 2 + 0.5
        most = self.most_users if at < self.limited_from else self.most_users * 1.5
        return round(self.least_users + (most - self.least_users) * min(1.0, wave))


FULL = Scenario()
SHORT = Scenario(seconds=35.0, limited_from=25.0, most_users=10)
