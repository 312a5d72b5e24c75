"""Which Go toolchains are new enough."""

import pytest

from tests.bed.golang import parse_version
from tests.bed.versions import GO_PACKAGE, OLDEST_GO


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("go1.26.8\n", (1, 26, 8), id="release"),
        pytest.param("go1.27", (1, 27, 0), id="first of its minor"),
        pytest.param("go1.27rc1", (1, 27, 0), id="candidate"),
        pytest.param("go1.26.8-custom", (1, 26, 8), id="vendor"),
        pytest.param("", (0, 0, 0), id="nothing"),
        pytest.param("devel +abcdef", (0, 0, 0), id="development"),
    ],
)
def test_version_is_parsed(text: str, version: tuple[int, int, int]) -> None:
    assert parse_version(text) == version


def test_fetched_toolchain_is_new_enough() -> None:
    assert parse_version("go" + GO_PACKAGE.partition("==")[2]) >= OLDEST_GO
