"""What a query is, before anybody is asked: its syntax and what it gives.

Pure. The grammar is that of the `promql-parser` library; nothing here reads PromQL by itself. Its
printer is not used: it drops the colon of a subquery and the escapes of a label value, so queries
travel as their authors wrote them.
"""

import re
from enum import StrEnum
from typing import Final

import promql_parser


class Shape(StrEnum):
    """What a query gives."""

    SCALAR = "scalar"
    VECTOR = "vector"
    RANGE = "range vector"
    STRING = "string"


# Pairs, for not every build of the library has value types that can be keys.
_SHAPES = (
    (promql_parser.ValueType.Scalar, Shape.SCALAR),
    (promql_parser.ValueType.Vector, Shape.VECTOR),
    (promql_parser.ValueType.Matrix, Shape.RANGE),
    (promql_parser.ValueType.String, Shape.STRING),
)
_LEAVES = {
    promql_parser.NumberLiteral: Shape.SCALAR,
    promql_parser.StringLiteral: Shape.STRING,
    promql_parser.MatrixSelector: Shape.RANGE,
    promql_parser.SubqueryExpr: Shape.RANGE,
}


TOO_LARGE: Final = "has too many parts: have a recording rule do some of the work"
# Parsing takes the square of the length: measured, the 2,000 parts that fit into a query 140 ms,
# 300 of them 2 ms, and each is parsed three times. Queries of people have some tens.
_MOST_PARTS: Final = 300
_PART: Final = re.compile(
    r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|\w+|[^\w\s]""", re.DOTALL
)


def is_too_large(query: str) -> bool:
    """Tell whether a query is not worth the time that it takes to parse."""
    return sum(1 for _ in _PART.finditer(query)) > _MOST_PARTS


def parse(query: str) -> promql_parser.Expr:
    """Read a query; raise ValueError with a sentence for whatever cannot be read.

    The library ends some texts (`foo[1e400]`) in a panic, which is no Exception in Python.
    """
    try:
        return promql_parser.parse(query)
    except (ValueError, KeyboardInterrupt, SystemExit):
        raise
    except RecursionError as exc:
        raise ValueError("is nested too deeply") from exc
    except BaseException as exc:
        raise ValueError(f"cannot be read: {exc}") from exc


def shape_of(query: str) -> Shape:
    """Tell what a query gives; raise ValueError with the parser's sentence when it has no sense."""
    if is_too_large(query):
        raise ValueError(TOO_LARGE)
    return _shape(parse(query))


def problem_of(query: str) -> str:
    """Say why a query cannot give one number and what to do, or nothing when it may.

    Queries in the dialect of another server may be called wrong here: a warning, not a verdict.
    """
    if is_too_large(query):
        return TOO_LARGE
    try:
        shape = shape_of(query)
    except ValueError as exc:
        return f"is not PromQL: {exc}"
    return misfit(shape)


def misfit(shape: Shape) -> str:
    """Say why nothing of this shape is one number, or nothing when it can be."""
    if shape is Shape.RANGE:
        return "gives a range of samples, not one number: use a function such as rate()"
    if shape is Shape.STRING:
        return "gives a text, not a number"
    return ""


def _shape(node: promql_parser.Expr) -> Shape:
    match node:
        case promql_parser.Call():
            return next(shape for kind, shape in _SHAPES if kind == node.func.return_type)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            return _shape(node.expr)
        case promql_parser.BinaryExpr():
            both = {_shape(node.lhs), _shape(node.rhs)}
            return Shape.SCALAR if both == {Shape.SCALAR} else Shape.VECTOR
        case _:
            return _LEAVES.get(type(node), Shape.VECTOR)  # selectors and aggregations
