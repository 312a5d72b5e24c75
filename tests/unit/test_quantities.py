"""Amounts as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler import quantities


@pytest.mark.parametrize(
    ("text", "amount"), [("20", 20.0), ("0.4", 0.4), ("500m", 0.5), ("2k", 2000.0), ("1Ki", 1024.0)]
)
def test_quantity_is_read(text: str, amount: float) -> None:
    assert quantities.parse_quantity(text) == amount


@pytest.mark.parametrize("text", ["", "-1", "twenty", "1.2.3", "1e3", " 1", "9" * 400])
def test_quantity_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it like 20, 0\.4, 500m or 2k"):
        quantities.parse_quantity(text)


@pytest.mark.parametrize(
    ("amount", "text"), [(20.0, "20"), (0.5, "0.5"), (2e9, "2000000000"), (1e-9, "1e-09")]
)
def test_quantity_is_written_short(amount: float, text: str) -> None:
    assert quantities.format_quantity(amount) == text


@given(st.integers(0, 9_999))
def test_percentage_reads_back_what_it_writes(percent: int) -> None:
    text = f"{percent}%"
    assert quantities.format_percent(quantities.parse_percent(text)) == text
    assert quantities.parse_percent(percent) == quantities.parse_percent(text)


@pytest.mark.parametrize("text", ["80", "0.8", "-5%", "80 %", "12345%"])
def test_percentage_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it like 80% or 99\.5%"):
        quantities.parse_percent(text)


@given(st.integers(0, 10**10))
def test_duration_reads_back_what_it_writes(millis: int) -> None:
    span = timedelta(milliseconds=millis)
    assert quantities.parse_duration(quantities.format_duration(span)) == span


@given(st.from_regex(quantities.DURATION_PATTERN, fullmatch=True).filter(bool))
def test_every_duration_of_the_form_is_read(text: str) -> None:
    assert quantities.parse_duration(text) >= timedelta(0)


@pytest.mark.parametrize("text", ["5\n", "5%\n", "5s\n", "\u0665", "\u0665%", "\u0665s", "0%\n"])
def test_line_break_and_foreign_digits_make_no_amount(text: str) -> None:
    for parse in (
        quantities.parse_duration,
        quantities.parse_percent,
        quantities.parse_quantity,
    ):
        with pytest.raises(ValueError, match="write it like"):
            parse(text)
