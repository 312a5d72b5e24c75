"""What unit tests do without: the network, and hence whom the world trusts."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _no_authorities() -> Iterator[None]:
    """Trust nobody: to read all authorities takes 30 ms for each client that is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.devnull)
        yield
