"""Arrays that hold one column for each row of the bank: the last axis is the row.

Parts of the state are dataclasses of such arrays. That layout makes an update of all rows one pass
over contiguous memory, and lets rows come, go and move without any part knowing about it.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Halves: TypeAlias = NDArray[np.float16]
Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

NAN: Final = np.float32("nan")
_MOST_PACKED: Final = np.float32(4e9)


def zeros(*shape: int) -> Floats:
    """Give columns that begin at zero."""
    return np.zeros(shape, np.float32)


def unknown(*shape: int) -> Floats:
    """Give columns that begin without a value."""
    return np.full(shape, NAN, np.float32)


def packed(loads: Floats) -> Halves:
    """Keep loads in half of the memory, each to a thousandth: as square roots they reach 4e9."""
    return np.sqrt(np.minimum(loads, _MOST_PACKED)).astype(np.float16)


def unpacked(kept: Halves) -> Floats:
    """Give the loads that were packed."""
    return np.square(kept.astype(np.float32))


def ratio(amounts: Floats, parts: Floats) -> Floats:
    """Divide; NaN where there is nothing to divide by."""
    return np.where(parts > 0, amounts / np.where(parts > 0, parts, 1), NAN)


def mean(values: Floats, axis: int) -> Floats:
    """Average what is known along an axis; NaN where nothing is."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(axis), known.sum(axis, dtype=np.float32))


def widen(part: object, more: object) -> None:
    """Append the columns of another part of the same kind."""
    for name, array, added in _pairs(part, more):
        setattr(part, name, np.concatenate((array, added), axis=-1))


def put(part: object, slots: Ints, source: object) -> None:
    """Overwrite the columns at `slots` by those of another part of the same kind."""
    for _, array, columns in _pairs(part, source):
        array[..., slots] = columns


def size_bytes(part: object) -> int:
    """Count the memory that the arrays of a part take."""
    return sum(array.nbytes for _, array, _ in _pairs(part, part))


def _pairs(part: Any, other: Any) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    for field in fields(part):
        yield field.name, getattr(part, field.name), getattr(other, field.name)
