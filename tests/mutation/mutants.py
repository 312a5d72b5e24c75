"""The mutants of a module: one change of its syntax tree each.

Texts are left alone, as are annotations, docstrings and decorators: a changed sentence is caught by
whoever reads it, and a test that repeats it proves nothing.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_SUMS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip
_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "int"}
_UNTOUCHED: Final = frozenset({"annotation", "returns", "decorator_list", "format_spec"})


class Mutant(NamedTuple):
    """One change: in which function, of what into what, and the line for people."""

    module: str
    place: str
    before: str
    after: str
    number: int
    line: int
    code: ast.Module

    @property
    def key(self) -> str:
        """Name the mutant by what it is, so that a line that moves changes nothing."""
        return f"{self.module}.{self.place}: {self.before} -> {self.after} #{self.number}"


class _Site(NamedTuple):
    """A node, where it hangs, and the function it is in."""

    parent: ast.AST
    field: str
    position: int | None
    node: ast.AST
    place: str

    def put(self, node: ast.AST) -> None:
        if self.position is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.position] = node


def unchanged(module: str, source: str) -> Mutant:
    """Give a module as it is, to see that the tests pass then."""
    return Mutant(module, "module", "", "", 0, 0, ast.parse(source))


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Give all mutants of a module, each with a tree of its own."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for at, site in enumerate(_sites(ast.parse(source), "module")):
        for way in range(len(_changes(site))):
            tree = ast.parse(source)
            mine = list(_sites(tree, "module"))[at]
            changed = _changes(mine)[way]
            written = (mine.place, _write(mine.node), _write(changed))
            seen[written] += 1
            mine.put(ast.copy_location(changed, mine.node))
            line = getattr(mine.node, "lineno", 0)
            yield Mutant(module, *written, seen[written], line, ast.fix_missing_locations(tree))


def _sites(parent: ast.AST, place: str) -> Iterator[_Site]:
    for field, value in ast.iter_fields(parent):
        if field in _UNTOUCHED or _is_type_alias(parent):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(node, ast.AST):
                yield _Site(parent, field, index, node, place)
                yield from _sites(node, _within(node, place))


def _within(node: ast.AST, place: str) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name if place == "module" else f"{place}.{node.name}"
    return place


def _is_type_alias(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation)


def _changes(site: _Site) -> list[ast.AST]:
    """Give what may stand in a node's place."""
    return [*_of_condition(site), *_of_logic(site.node), *_of_value(site.node)]


def _of_condition(site: _Site) -> list[ast.AST]:
    if site.field in {"test", "ifs", "guard"} and not isinstance(site.node, ast.Constant):
        return [ast.Constant(value=value) for value in (True, False)]
    return []


def _of_logic(node: ast.AST) -> list[ast.AST]:
    match node:
        case ast.Compare():
            return list(_of_comparison(node))
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return [ast.BoolOp(op=other, values=node.values)]
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return [node.operand]
        case ast.Expr(value=ast.Call()):
            return [ast.Pass()]
        case _:
            return []


def _of_value(node: ast.AST) -> list[ast.AST]:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
            texts = _is_text(left) or _is_text(right)
            return [] if texts else [ast.BinOp(left=left, op=_SUMS[type(op)](), right=right)]
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _SUMS:
            other = ast.AugAssign(target=target, op=_SUMS[type(op)](), value=value)
            return [] if _is_text(value) else [other]
        case ast.Constant(value=bool() as flag):
            return [ast.Constant(value=not flag)]
        case ast.Constant(value=int() | float() as number):
            return [ast.Constant(value=number + 1)]
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            called = ast.Name(id=_CALLS[name], ctx=ast.Load())
            return [ast.Call(func=called, args=node.args, keywords=node.keywords)]
        case _:
            return []


def _of_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        operators = [*node.ops]
        operators[at] = _COMPARISONS[type(operator)]()
        yield ast.Compare(left=node.left, ops=operators, comparators=node.comparators)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _write(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())
