"""Tell kopf to keep nothing: this operator leaves no annotation, finalizer or status of kopf's."""

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is ever compared: the registry knows by the generation whether a spec is new."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """Nothing is ever half done: an event is taken in at once or not at all."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
