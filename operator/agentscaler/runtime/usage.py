"""Token counts as the providers' clients tell them; reads objects and dictionaries alike."""

from dataclasses import dataclass
from typing import Any, Final, Self

_INPUT: Final = ("input_tokens", "prompt_tokens")
_OUTPUT: Final = ("output_tokens", "completion_tokens")
_CARRIERS: Final = ("message", "response")  # where events of a stream wrap what carries the usage


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, in and out."""

    input: int = 0
    output: int = 0

    @classmethod
    def of(cls, answer: Any) -> Self:
        """Read the counts from an answer or an event of a stream; zeros if it tells none."""
        carriers = (answer, *(_read(answer, name) for name in _CARRIERS))
        usages = [_read(carrier, "usage") for carrier in carriers]
        return cls(_largest(usages, _INPUT), _largest(usages, _OUTPUT))

    def with_newer(self, newer: "Usage") -> "Usage":
        """Join counts of a stream, which are told in parts and grow."""
        return Usage(max(self.input, newer.input), max(self.output, newer.output))


def _read(carrier: Any, name: str) -> Any:
    if isinstance(carrier, dict):
        return carrier.get(name)
    return getattr(carrier, name, None)


def _largest(usages: list[Any], names: tuple[str, ...]) -> int:
    found = [_read(usage, name) for usage in usages for name in names]
    return max((count for count in found if isinstance(count, int)), default=0)
