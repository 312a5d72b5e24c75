"""The kit imports with nothing but its extra's packages, and none of the operator's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import agentscaler.runtime

PACKAGE = Path(agentscaler.runtime.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

# Everything not named here and not of the standard library is made to be missing.
GUARDED_IMPORT = """
import importlib, sys

class Missing:
    allowed = sys.stdlib_module_names | set(sys.argv[2].split(","))

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
importlib.import_module(f"agentscaler.runtime.{sys.argv[1]}")
"""


def import_alone(module: str, packages: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", GUARDED_IMPORT, module, packages],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent.parent)},
    )


@pytest.mark.parametrize("module", [name for name in MODULES if name != "redis_state"])
def test_module_imports_with_only_its_extras_packages(module: str) -> None:
    done = import_alone(module, "agentscaler,prometheus_client,cachetools")
    assert done.returncode == 0, done.stderr


def test_redis_state_needs_redis_and_says_so() -> None:
    done = import_alone("redis_state", "agentscaler,prometheus_client,cachetools")
    assert "No module named 'redis" in done.stderr


def test_guard_would_notice_a_package_that_is_not_in_the_extra() -> None:
    done = import_alone("caching", "agentscaler,prometheus_client")
    assert "No module named 'cachetools'" in done.stderr
