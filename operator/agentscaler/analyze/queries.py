"""What can be told of a PromQL query without asking anybody. Pure.

Guesses, made to warn: a query in another server's dialect tells nothing.
"""

import re
from typing import Final

import promql_parser

from agentscaler import promql

_RATIO_NAME: Final = re.compile("ratio|utili[sz]ation|usage|percent|fraction|share|load")


def may_give_several(query: str) -> bool:
    """Tell a query that can give a series per pod, as a bare metric does."""
    tree = _tree(query)
    return isinstance(tree, promql_parser.VectorSelector) or (
        isinstance(tree, promql_parser.Call)
        and any(isinstance(_leaf(each), promql_parser.MatrixSelector) for each in tree.args)
    )


def may_be_ratio(query: str) -> bool:
    """Tell a query that divides, or whose metrics are named like a ratio, or that is not clear."""
    tree = _tree(query)
    return tree is None or "/" in query or _RATIO_NAME.search(query) is not None


def is_same(query: str, other: str) -> bool:
    """Tell two queries that ask the same, however they are spaced."""
    return re.sub(r"\s", "", query) == re.sub(r"\s", "", other)


def _tree(query: str) -> promql_parser.Expr | None:
    try:
        return _leaf(promql.parse(query))
    except ValueError:
        return None


def _leaf(tree: promql_parser.Expr) -> promql_parser.Expr:
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    return tree
