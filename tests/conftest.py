"""What all suites share: how hard hypothesis looks, and that a slow machine is no failure."""

import os

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow]

# Quick looks at the same few inputs each time, so that a change which is green stays green;
# thorough (HYPOTHESIS_PROFILE=thorough) searches anew in each run.
settings.register_profile(
    "quick", max_examples=10, deadline=None, derandomize=True, suppress_health_check=SLOW
)
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
