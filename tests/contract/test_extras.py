"""Each extra alone suffices for its part.

A virtual environment for each would take minutes. Instead a fresh interpreter imports the part
while every distribution outside the extra's closure is hidden from it.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HIDE = """
import importlib, pkgutil, sys

class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        # None, as for what is not installed: libraries ask whether others are there.
        if name.partition(".")[0] not in HIDDEN:
            return self.finder.find_spec(name, path, target)

HIDDEN, SKIPPED = (set(words.split(",")) for words in sys.argv[1:3])
sys.meta_path[:] = map(Hiding, sys.meta_path)
for name in sys.argv[3:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}."):
        if module.name not in SKIPPED:
            importlib.import_module(module.name)
"""

NONE: tuple[str, ...] = ()
PARTS = {
    NONE: ["agentscaler.conventions", "agentscaler.errors", "agentscaler.clock",
           "agentscaler.quantities"],
    ("runtime",): ["agentscaler.runtime"],
    ("runtime", "redis"): ["agentscaler.runtime"],
    ("gateway",): ["agentscaler.gateway", "agentscaler.cli.gateway"],
    ("operator",): ["agentscaler.api", "agentscaler.forecast", "agentscaler.decide",
                    "agentscaler.simulate",
                    "agentscaler.analyze", "agentscaler.observe", "agentscaler.act",
                    "agentscaler.report", "agentscaler.control", "agentscaler.handlers",
                    "agentscaler.cli"],
}  # fmt: skip
FOR_ANOTHER_EXTRA: dict[tuple[str, ...], str] = {("runtime",): "agentscaler.runtime.redis_state"}


def closure(name: str, extras: frozenset[str]) -> Iterator[str]:
    """Give the distributions that come with a requirement, itself included."""
    yield canonicalize_name(name)
    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        return  # for another platform or Python
    for line in required:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield from closure(requirement.name, frozenset(requirement.extras))


def hidden_from(extras: tuple[str, ...]) -> set[str]:
    """List the modules that an environment with only these extras would not have."""
    present = set(closure("agentscaler", frozenset(extras)))
    return {
        module
        for module, owners in packages_distributions().items()
        if not present & {canonicalize_name(owner) for owner in owners}
        if module.isidentifier()
    }


def run_without(
    hidden: set[str], code: str, skipped: str = "", parts: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDE + code, ",".join(hidden), skipped, *parts]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("extras", PARTS, ids=lambda extras: "+".join(extras) or "none")
def test_extra_alone_suffices_for_its_part(extras: tuple[str, ...]) -> None:
    hidden = hidden_from(extras)
    assert "pytest" in hidden
    assert ("pydantic" in hidden) == ("operator" not in extras)
    done = run_without(hidden, "", FOR_ANOTHER_EXTRA.get(extras, ""), PARTS[extras])
    assert done.returncode == 0, done.stderr


COMMAND_LINE = "\nsys.argv = ['agentscaler', 'crds']\nfrom agentscaler.cli import main; main()"


def test_command_line_without_its_library_says_which_extra_to_install() -> None:
    done = run_without(hidden_from(NONE), COMMAND_LINE)
    assert done.returncode == 2
    assert done.stderr == (
        "agentscaler: the command line needs click: pip install 'agentscaler[operator]'\n"
    )


def test_subcommand_of_another_extra_says_which_one_to_install() -> None:
    done = run_without(hidden_from(("gateway",)), COMMAND_LINE)
    assert done.returncode == 2
    assert done.stderr.startswith("agentscaler: crds needs ")
    assert done.stderr.endswith("pip install 'agentscaler[operator]'\n")
