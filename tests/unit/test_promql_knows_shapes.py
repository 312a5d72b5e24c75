"""What a query gives is known before it is asked."""

import pytest

from agentscaler import promql
from agentscaler.promql import Shape


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        ("42", Shape.SCALAR),
        ("-(1 + time())", Shape.SCALAR),
        ("scalar(sum(up))", Shape.SCALAR),
        ("pi() > bool 3", Shape.SCALAR),
        ("up", Shape.VECTOR),
        ("2 * up", Shape.VECTOR),
        ("vector(0)", Shape.VECTOR),
        ("sum by (pod) (rate(requests_total[1m])) # all", Shape.VECTOR),
        ("up or vector(1)", Shape.VECTOR),
        ("up[5m]", Shape.RANGE),
        ("(up[5m:1m])", Shape.RANGE),
        ('"up"', Shape.STRING),
    ],
)
def test_shape_is_told_for_every_kind_of_query(query: str, shape: Shape) -> None:
    assert promql.shape_of(query) is shape


@pytest.mark.parametrize("query", ["sum(", "", "no_such_function(up)", "rate(up)", "1 > 2"])
def test_query_without_sense_is_a_problem(query: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        promql.shape_of(query)
    assert promql.problem_of(query).startswith("is not PromQL: ")


@pytest.mark.parametrize("query", ["rate(foo[1e400])", "foo[1e19]", "up[5m:1e400]"])
def test_text_that_breaks_the_parser_is_a_problem_and_no_crash(query: str) -> None:
    assert promql.problem_of(query).startswith("is not PromQL: ")


def test_bottomless_query_is_a_problem_and_no_crash() -> None:
    assert promql.problem_of("(" * 149 + "up" + ")" * 149) == ""
    assert promql.problem_of("(" * 1000 + "up" + ")" * 1000) == promql.TOO_LARGE


def test_query_that_gives_no_number_is_a_problem() -> None:
    assert "use a function such as rate()" in promql.problem_of("up[5m]")
    assert promql.problem_of('"five"') == "gives a text, not a number"


def test_query_that_may_give_a_number_is_no_problem() -> None:
    assert promql.problem_of("sum(up)") == ""
    assert promql.problem_of("1") == ""


def test_query_that_takes_long_to_parse_is_not_parsed() -> None:
    long = "+".join(["a"] * 200)
    assert promql.problem_of(long) == promql.TOO_LARGE
    with pytest.raises(ValueError, match="too many parts"):
        promql.shape_of(long)
    many = "|".join(["name"] * 300)
    assert promql.problem_of(f'sum(a{{pod=~"{many}"}})') == ""
