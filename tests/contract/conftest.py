"""What the contract tests need besides the project itself."""

from pathlib import Path

import pytest
from rich.console import Console

from tests.bed import builds
from tests.bed.tools import Tool


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Have the bed's helm, built when it is missing, with a home of its own."""
    builds.ensure(Console(stderr=True), ("helm",))
    home = str(tmp_path_factory.mktemp("helm"))
    names = ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
    return Tool(Path(builds.locate("helm")), dict.fromkeys(names, home))
