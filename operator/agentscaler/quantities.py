"""Amounts as people write them in manifests: "30s", "8d", "80%", "500m".

Parsing raises `ValueError` with a sentence that shows the accepted form; no float is ever written
back into a manifest, so formatting gives the same short forms.
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isinf
from typing import Final

# Bounded digits, about 30 years: what is longer overflows dates instead of meaning something.
DURATION_PATTERN: Final = (
    r"^([0-9]{1,4}d|([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?)$"
)
PERCENT_PATTERN: Final = r"^[0-9]{1,4}(\.[0-9]{1,3})?%$"
QUANTITY_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"

_DURATION: Final = re.compile(
    r"^(?:(?P<d>[0-9]{1,4})d|(?:(?P<h>[0-9]{1,5})h)?(?:(?P<m>[0-9]{1,7})m)?"
    r"(?:(?P<s>[0-9]{1,9})s)?(?:(?P<ms>[0-9]{1,9})ms)?)$"
)
_SUFFIXES: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}
_QUANTITY: Final = re.compile(
    r"^(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<suffix>m|k|Ki|M|Mi|G|Gi|T|Ti)?$"
)


def parse_duration(text: str) -> timedelta:
    """Read "90s", "1h30m", "250ms" or "8d"."""
    found = _DURATION.fullmatch(text)  # `$` alone would let a line break pass
    if not text or found is None:
        raise ValueError(f"{text!r} is no duration: write it like 30s, 15m, 1h30m or 8d")
    days, hours, minutes, seconds, millis = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)


@lru_cache(maxsize=1024)  # every decision tells the same few
def format_duration(span: timedelta) -> str:
    """Write a duration so that `parse_duration` reads the same one back."""
    millis = round(span / timedelta(milliseconds=1))
    if millis and millis % 86_400_000 == 0:
        return f"{millis // 86_400_000}d"
    parts = []
    for size, unit in ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")):
        count, millis = divmod(millis, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def format_time(at: datetime) -> str:
    """Write the time of day, to the second; four times as fast as `strftime`."""
    return at.time().isoformat("seconds")


def parse_percent(value: str | int) -> float:
    """Read "80%" or 80 as the ratio 0.8."""
    text = f"{value}%" if isinstance(value, int) else value
    if re.fullmatch(PERCENT_PATTERN, text) is None:
        raise ValueError(f"{value!r} is no percentage: write it like 80% or 99.5%")
    return float(Decimal(text[:-1]) / 100)


def format_percent(ratio: float) -> str:
    """Write the ratio 0.8 as "80%", with at most three decimals."""
    return f"{round(ratio * 100, 3):.3f}".rstrip("0").rstrip(".") + "%"


def parse_quantity(value: str | int) -> float:
    """Read a Kubernetes quantity such as "20", "0.4", "500m" or "2k"."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        raise ValueError(f"{value!r} is no quantity: write it like 20, 0.4, 500m or 2k")
    amount = float(Decimal(found["number"]) * _SUFFIXES[found["suffix"] or ""])
    if isinf(amount):
        raise ValueError(f"{value!r} is out of range: write it like 20, 0.4, 500m or 2k")
    return amount


def format_quantity(amount: float) -> str:
    """Write an amount in the shortest form that a manifest takes, to six significant digits."""
    text = f"{amount:.6g}"
    return str(int(float(text))) if "e" in text and float(text).is_integer() else text
