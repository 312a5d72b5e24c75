"""A real cluster for all end-to-end tests of a run."""

from collections.abc import Iterator

import pytest

from tests.bed import Bed


@pytest.fixture(scope="session")
def cluster() -> Iterator[Bed]:
    with Bed.up() as bed:
        yield bed
