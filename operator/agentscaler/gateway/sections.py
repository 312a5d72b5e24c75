"""Read a mapping field by field, so that every complaint names its field and the fix."""

from collections.abc import Collection, Iterator
from typing import Any, Self, TypeVar, cast

from agentscaler.gateway.errors import InvalidConfigError
from agentscaler.quantities import parse_duration, parse_percent

Word = TypeVar("Word", bound=str)


class Section:
    """One mapping of the configuration; `done` refuses what nobody has read."""

    def __init__(self, content: Any, path: str = "") -> None:
        if not isinstance(content, dict):
            raise InvalidConfigError(f"{path or 'the configuration'}: must be a mapping of fields")
        self._content = content
        self.path = path
        self._known: set[str] = set()

    def where(self, name: str) -> str:
        """Name a field for people."""
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, fix: str) -> InvalidConfigError:
        """Make the complaint about one field."""
        return InvalidConfigError(f"{self.where(name)}: {fix}")

    def has(self, name: str) -> bool:
        """Tell whether the field is there."""
        self._known.add(name)
        return self._content.get(name) is not None

    def raw(self, name: str) -> Any:
        """Give the field as it is; None without it."""
        self._known.add(name)
        return self._content.get(name)

    def section(self, name: str) -> Self:
        """Give a mapping within; an empty one without it."""
        found = self.raw(name)
        return type(self)({} if found is None else found, self.where(name))

    def sections(self, name: str) -> Iterator[Self]:
        """Give the mappings of a list."""
        for number, each in enumerate(self.items(name)):
            yield type(self)(each, f"{self.where(name)}[{number}]")

    def items(self, name: str) -> list[Any]:
        """Give a list that must not be empty."""
        found = self.raw(name)
        if not isinstance(found, list) or not found:
            raise self.wrong(name, "must be a list with at least one entry")
        return found

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text; required without a default."""
        found = self._or(name, default)
        if not isinstance(found, str) or not found:
            raise self.wrong(name, "must be a text that is not empty")
        return found

    def word(self, name: str, words: Collection[Word], default: Word) -> Word:
        """Give one of `words`."""
        found = self._or(name, default)
        if found not in words:
            raise self.wrong(name, f"must be one of {', '.join(words)}; it is {found!r}")
        return cast(Word, found)

    def whole(self, name: str, default: int | None, at_least: int = 1) -> int:
        """Give a whole number."""
        found = self._or(name, default)
        if not isinstance(found, int) or isinstance(found, bool) or found < at_least:
            raise self.wrong(name, f"must be a whole number of at least {at_least}")
        return found

    def number(self, name: str, default: float, at_least: float = 0.0) -> float:
        """Give a number."""
        found = self._or(name, default)
        if not isinstance(found, int | float) or isinstance(found, bool) or found < at_least:
            raise self.wrong(name, f"must be a number of at least {at_least:g}")
        return float(found)

    def seconds(self, name: str, default: float) -> float:
        """Give a duration such as 30s, in seconds."""
        if not self.has(name):
            return default
        try:
            return parse_duration(str(self.raw(name))).total_seconds()
        except ValueError as exc:
            raise self.wrong(name, str(exc)) from exc

    def period(self, name: str, default: float) -> float:
        """Give a duration that is no moment: 0s would mean without pause, or without limit."""
        found = self.seconds(name, default)
        if not found:
            raise self.wrong(name, "must be longer than 0s")
        return found

    def path_of_url(self, name: str, default: str | None = None) -> str:
        """Give the path of a URL."""
        found = self.text(name, default)
        if not found.startswith("/"):
            raise self.wrong(name, "must begin with a slash")
        return found

    def ratio(self, name: str, default: float) -> float:
        """Give a percentage such as 50%, as a ratio."""
        if not self.has(name):
            return default
        try:
            return parse_percent(str(self.raw(name)))
        except ValueError as exc:
            raise self.wrong(name, str(exc)) from exc

    def done(self) -> None:
        """Refuse fields that mean nothing: a misspelt one would silently be a default."""
        unknown = sorted(str(name) for name in self._content if name not in self._known)
        if unknown:
            known = ", ".join(sorted(self._known))
            raise self.wrong(unknown[0], f"there is no such field; known are {known}")

    def _or(self, name: str, default: Any) -> Any:
        if self.has(name):
            return self._content[name]
        if default is None:
            raise self.wrong(name, "is required")
        return default
