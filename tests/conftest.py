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


# What is imported stays until the end: no search for garbage meanwhile, and none in it later.
gc.disable()


def pytest_collection_finish() -> None:
    """Begin to search for garbage, in what the tests make."""
    gc.freeze()
    gc.enable()
