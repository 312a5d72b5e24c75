"""Confine a query to the series of some namespaces, whatever its author wrote.

Pure. A matcher is written into every selector of the text, and the result is believed only after
the parser has read it: the same tree as before, with the matcher in each of its selectors. So a
mistake of the scanner here, which only has to find the places, refuses a query and opens nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import promql_parser

from agentscaler import promql
from agentscaler.conventions import NAMESPACE_LABEL

# The library copies the rest of the tree with each step down: measured, the 2,000 nodes that fit
# into a query take 450 ms. Queries of people have some tens.
MOST_NODES: Final = 200

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
    |(?P<gap>[ \t\n]+|\#[^\n]*)
    |(?P<range>\[[^\]]*\])
    |(?P<number>[0-9][0-9A-Za-z_.]*)
    |(?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_LISTS: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_KEYWORDS: Final = _LISTS | {"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan"}
# Servers may end a comment at a carriage return, the parser only at a line break.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# It joins series that no selector of the query names.
_READS_MORE: Final = frozenset({"info"})
# Pairs, for not every build of the library has operators that can be keys.
_SIGNS: Final = (
    (promql_parser.MatchOp.Equal, "="),
    (promql_parser.MatchOp.NotEqual, "!="),
    (promql_parser.MatchOp.Re, "=~"),
    (promql_parser.MatchOp.NotRe, "!~"),
)

_LEAVES: Final = (
    promql_parser.VectorSelector,
    promql_parser.NumberLiteral,
    promql_parser.StringLiteral,
)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class _Matcher(NamedTuple):
    label: str
    sign: str
    value: str

    @property
    def text(self) -> str:
        return f'{self.label}{self.sign}"{self.value}"'


def confine(query: str, namespaces: Sequence[str]) -> str:
    """Have a query see series of these namespaces only.

    Raise ValueError, with a sentence that goes on after "the query", where that cannot be proved.
    """
    if _CONTROL.search(query):
        raise ValueError("holds a control character")
    if promql.is_too_large(query):
        raise ValueError(promql.TOO_LARGE)
    before = _parsed(query)
    _check(before, namespaces)
    matcher = _matcher(namespaces)
    confined = _spliced(query, matcher.text)
    if not _is_proved(confined, _facts(before, matcher)):
        raise ValueError("cannot be confined to its namespace: write it in plain PromQL")
    return confined


def _parsed(query: str) -> promql_parser.Expr:
    try:
        return promql.parse(query)
    except ValueError as exc:
        raise ValueError(f"cannot be confined to its namespace: {exc}") from exc


def _is_proved(confined: str, expected: list[tuple[object, ...]]) -> bool:
    try:
        return _facts(_parsed(confined)) == expected
    except ValueError:
        return False


def _matcher(namespaces: Sequence[str]) -> _Matcher:
    """Give the matcher; names of namespaces mean themselves in a regular expression."""
    if len(namespaces) == 1:
        return _Matcher(NAMESPACE_LABEL, "=", namespaces[0])
    return _Matcher(NAMESPACE_LABEL, "=~", "|".join(namespaces))


def _check(tree: promql_parser.Expr, namespaces: Sequence[str]) -> None:
    """Refuse what a matcher does not confine, and what could never find anything."""
    for node in _nodes(tree):
        if isinstance(node, promql_parser.Call) and node.func.name in _READS_MORE:
            raise ValueError(f"calls {node.func.name}(), which reads series that it does not name")
        if not isinstance(node, promql_parser.VectorSelector):
            continue
        if node.matchers.or_matchers:
            raise ValueError("joins matchers by `or`: use one selector for each of them")
        for each in node.matchers.matchers:
            if _names_another(each, namespaces):
                raise ValueError(
                    f'asks for {NAMESPACE_LABEL}="{each.value}", but sees '
                    f"{' and '.join(namespaces)} only"
                )


def _names_another(matcher: promql_parser.Matcher, namespaces: Sequence[str]) -> bool:
    return (
        matcher.name == NAMESPACE_LABEL
        and matcher.op == promql_parser.MatchOp.Equal
        and matcher.value not in namespaces
    )


def _spliced(query: str, matcher: str) -> str:
    """Write the matcher into each selector of the text."""
    parts, written = [], 0
    for place, is_braced, is_empty in _places(query):
        comma = "" if is_empty else ","
        parts += [query[written:place], f"{matcher}{comma}" if is_braced else f"{{{matcher}}}"]
        written = place
    return "".join(parts) + query[written:]


def _places(query: str) -> Iterator[tuple[int, bool, bool]]:
    """Find where the matcher belongs: whether in braces, and whether these are empty."""
    tokens = [
        _Token(str(found.lastgroup), found[0], found.start())
        for found in _TOKEN.finditer(query)
        if found.lastgroup != "gap"
    ]
    closing = ""
    for token, after in zip(tokens, [*tokens[1:], _Token("end", "", len(query))], strict=True):
        if closing:
            closing = "" if token.text == closing else closing
        elif token.text == "{":
            closing = "}"
            yield token.end, True, after.text == "}"
        elif token.kind != "word":
            continue
        elif token.text.lower() in _LISTS and after.text == "(":
            closing = ")"
        elif _is_metric(token, after):
            yield token.end, False, True


def _is_metric(word: _Token, after: _Token) -> bool:
    return (
        after.text not in {"(", "{"}
        and after.text.lower() not in {"by", "without"}
        and word.text.lower() not in _KEYWORDS
    )


def _facts(tree: promql_parser.Expr, *more: _Matcher) -> list[tuple[object, ...]]:
    """Tell what a tree is, node by node; `more` are matchers that each selector is to have."""
    return [_fact(node, more) for node in _nodes(tree)]


def _fact(node: promql_parser.Expr, more: Iterable[_Matcher]) -> tuple[object, ...]:
    match node:
        case promql_parser.VectorSelector():
            stated = {
                _Matcher(each.name, _sign(each.op), each.value) for each in node.matchers.matchers
            }
            return "selector", node.name, frozenset({*stated, *more}), node.matchers.or_matchers
        case promql_parser.StringLiteral():
            return "text", node.val
        case _:
            return (type(node).__name__,)


def _sign(operator: promql_parser.MatchOp) -> str:
    return next(sign for known, sign in _SIGNS if known == operator)


def _nodes(node: promql_parser.Expr) -> Iterator[promql_parser.Expr]:
    """Give a node and all below it, in their order.

    Raise ValueError for a kind that is not known here, and for too many nodes.
    """
    waiting, given = [node], 0
    while waiting:
        given += 1
        if given > MOST_NODES:
            raise ValueError(promql.TOO_LARGE)
        yield (node := waiting.pop())
        waiting.extend(reversed(_children(node)))


def _children(node: promql_parser.Expr) -> list[promql_parser.Expr]:
    match node:
        case promql_parser.AggregateExpr():
            return [node.expr] if node.param is None else [node.param, node.expr]
        case promql_parser.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql_parser.Call():
            return node.args
        case promql_parser.MatrixSelector():
            return [node.vector_selector]
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return [node.expr]
        case _ if isinstance(node, _LEAVES):
            return []
        case _:
            raise ValueError(f"holds a {type(node).__name__}, which nobody knows how to confine")
