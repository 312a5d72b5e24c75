"""The one error of the bed: a sentence a person can act on.

The command line prints it without a traceback; tests let it fail them as it is.
"""


class BedError(Exception):
    """The bed cannot be built, started or used; the message says why and what helps."""


class UnavailableError(BedError):
    """A kind or current cluster cannot be had on this machine; tests on it are skipped."""
