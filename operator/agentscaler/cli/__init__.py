"""One file per command; `main` is what the shell runs.

The library for command lines comes with an extra, since the runtime kit is embedded in other
people's services without it: nothing here may import it before `main` has looked for it.
"""

import importlib
import sys
from typing import NoReturn

from agentscaler.errors import AgentscalerError, InvalidPolicyError, UsageError

_FAILED = 1
_MISUSED = 2


def main() -> NoReturn:
    """Run the command line and exit: 2 for what the user can mend, 1 for all other failures."""
    try:
        group = importlib.import_module("agentscaler.cli.group")
    except ModuleNotFoundError as exc:
        say_missing = f"the command line needs {exc.name}: pip install 'agentscaler[operator]'"
        _give_up(say_missing, _MISUSED)
    try:
        sys.exit(group.agentscaler.main(prog_name="agentscaler"))
    except (InvalidPolicyError, UsageError) as exc:
        _give_up(str(exc), _MISUSED)
    except AgentscalerError as exc:
        _give_up(str(exc), _FAILED)


def _give_up(sentence: str, code: int) -> NoReturn:
    print(f"agentscaler: {sentence}", file=sys.stderr)
    sys.exit(code)
