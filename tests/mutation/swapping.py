"""Put a mutant in the place of its module, although everybody has imported that already.

The mutated module is run beside the real one, and its code, defaults and constants move over: so
whoever holds a function, in whatever table, gets the mutant, and a child needs no import at all.
"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import FunctionType, ModuleType
from typing import Any, Final

from tests.mutation.mutants import Mutant

_CONSTANTS: Final = (int, float, timedelta, datetime, frozenset)


def swap(mutant: Mutant) -> None:
    """Make the loaded module behave as the mutant does."""
    real = sys.modules[mutant.module]
    changed = ModuleType(mutant.module)
    # Dataclasses look for their module by name while they are made.
    sys.modules[mutant.module] = changed
    try:
        exec(compile(mutant.code, mutant.module, "exec"), changed.__dict__)  # noqa: S102
    finally:
        sys.modules[mutant.module] = real
    functions = dict(_functions(changed.__dict__, mutant.module))
    for name, function in _functions(real.__dict__, mutant.module):
        function.__code__ = functions[name].__code__
        function.__defaults__ = functions[name].__defaults__
        function.__kwdefaults__ = functions[name].__kwdefaults__
    for name, value in changed.__dict__.items():
        if isinstance(value, _CONSTANTS) and getattr(real, name) != value:
            setattr(real, name, value)


def _functions(names: dict[str, Any], module: str) -> Iterator[tuple[str, FunctionType]]:
    for name, value in names.items():
        if isinstance(value, type) and value.__module__ == module:
            for inner, function in _functions(dict(value.__dict__), module):
                yield f"{name}.{inner}", function
        bare = _bare(value)
        if bare is not None and bare.__module__ == module:
            yield name, bare


def _bare(value: Any) -> FunctionType | None:
    """Give the function in a property or a cache."""
    inner = getattr(value, "fget", None) or getattr(value, "__wrapped__", None) or value
    return inner if isinstance(inner, FunctionType) else None
