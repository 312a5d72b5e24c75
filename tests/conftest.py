"""What all suites share: how hard hypothesis looks, and that a slow machine is no failure."""

import gc
import os

import structlog
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow]

# Quick looks at the same few inputs each time, so that a change which is green stays green;
# thorough (HYPOTHESIS_PROFILE=thorough) searches anew in each run.
settings.register_profile(
    "quick", max_examples=10, deadline=None, derandomize=True, suppress_health_check=SLOW
)
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Failures are logged plainly: a traceback that is painted with its variables takes a second.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_collection_finish() -> None:
    """Leave out of each search for garbage what was imported: it stays until the end."""
    gc.freeze()
