"""How clauses become sentences, and moments text."""

from datetime import datetime


def sentence(clause: str) -> str:
    """Make a clause a sentence; names of fields keep their small letter."""
    first = clause.split(" ", 1)[0]
    begun = f"{clause[:1].upper()}{clause[1:]}" if first.isalpha() and first.islower() else clause
    return begun if begun.endswith(".") else f"{begun}."


def cause(message: str) -> str:
    """Give the message of a decision without the count that it begins with."""
    moved, _, rest = message.partition(": ")
    return rest if rest and moved.startswith(("goes from", "stays at")) else message


def day(at: datetime) -> str:
    """Write a moment of any day, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
