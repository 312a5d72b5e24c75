"""No text may keep a status from being written; no figure may be read back as another thing."""

import pytest
from pydantic import TypeAdapter, ValidationError

from agentscaler.api import status


def test_long_sentence_is_cut_to_what_the_api_server_takes() -> None:
    cut = TypeAdapter(status.Sentence).validate_python("a" * 2000)
    assert (len(cut), cut[-1]) == (1024, "…")
    assert TypeAdapter(status.Sentence).validate_python("short") == "short"


@pytest.mark.parametrize("text", ["", "4", "0.25", "1e-05"])
def test_figure_is_a_number_or_nothing(text: str) -> None:
    assert TypeAdapter(status.Figure).validate_python(text) == text


@pytest.mark.parametrize("text", ["inf", "nan", "four"])
def test_figure_of_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(status.Figure).validate_python(text)
