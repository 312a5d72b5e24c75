"""Whose series a policy's own queries may see. Pure.

The default signals need no rule: their queries group by namespace, and a policy is given the rows
of its own.
"""

from dataclasses import dataclass
from typing import Final

EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The operator's rule: a query sees its policy's own namespace, and those that are `shared`.

    Namespaces that are `trusted` see everything; `EVERYBODY` stands for all of them.
    """

    trusted: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    def seen_from(self, namespace: str) -> tuple[str, ...]:
        """Name the namespaces that queries of this one are confined to; none: it sees all."""
        if self.trusted & {namespace, EVERYBODY}:
            return ()
        return (namespace, *sorted(self.shared - {namespace}))


CONFINED: Final = Tenancy()
TRUSTING: Final = Tenancy(trusted=frozenset({EVERYBODY}))
