"""How models become structural schemas, and what is refused on the way."""

from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from agentscaler.api.structural import nodes_of, schema_of


class Inner(BaseModel):
    """An inner
    part."""

    size: int = Field(3, gt=0, lt=10, description="How big.")


class Outer(BaseModel):
    """An outer part."""

    inner: Inner = Field(Inner(), description="The part.")
    perhaps: Inner | None = None
    words: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    by_name: Annotated[Mapping[str, Inner], Field(max_length=4)] = {}
    note: str = ""
    fixed: str


def test_references_are_put_in_place_and_bounds_are_booleans() -> None:
    schema = schema_of(Outer, defaults=True)
    assert schema["properties"]["inner"] == {
        "description": "The part.",
        "type": "object",
        "properties": {
            "size": {
                "description": "How big.",
                "type": "integer",
                "default": 3,
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 10,
                "exclusiveMaximum": True,
            }
        },
    }
    assert schema["properties"]["perhaps"]["description"] == "An inner part."
    assert schema["required"] == ["fixed"]


def test_lists_and_maps_keep_their_limits_and_have_no_defaults() -> None:
    properties = schema_of(Outer, defaults=True)["properties"]
    assert properties["words"] == {
        "type": "array",
        "maxItems": 2,
        "items": {"type": "string"},
    }
    assert properties["by_name"]["maxProperties"] == 4
    assert properties["by_name"]["additionalProperties"]["type"] == "object"
    assert properties["note"] == {"type": "string"}
    assert properties["fixed"] == {"type": "string"}


def test_defaults_stay_away_when_nobody_wants_them() -> None:
    assert not [
        path for path, node in nodes_of(schema_of(Outer, defaults=False)) if "default" in node
    ]


def test_walk_names_every_node() -> None:
    paths = [path for path, _ in nodes_of(schema_of(Outer, defaults=True))]
    assert paths == [
        "", ".inner", ".inner.size", ".perhaps", ".perhaps.size", ".words", ".words[]",
        ".by_name", ".by_name{}", ".by_name{}.size", ".note", ".fixed",
    ]  # fmt: skip


class Choice(BaseModel):
    value: int | str


class Anything(BaseModel):
    value: object


class Patterned(BaseModel):
    value: Annotated[str, Field(pattern="^a$")]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Choice, r"Choice\.value: no structural form of a choice between types"),
        (Anything, r"Anything\.value: no type"),
        (Patterned, r"Patterned\.value: no structural form of pattern"),
    ],
)
def test_model_without_a_structural_form_is_refused(model: type[BaseModel], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        schema_of(model, defaults=True)
