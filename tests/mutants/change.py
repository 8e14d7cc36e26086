"""Small changes of a module's functions, one at a time: conditions, numbers, statements.

Texts, annotations and what stands outside functions are left alone: what a line of the log says
is for other tests, and a constant's value is a choice.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

OPPOSITES = {
    ast.Eq: ast.NotEq,
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,
    ast.And: ast.Or,
    ast.Add: ast.Sub,
    ast.Mult: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.BitAnd: ast.BitOr,
    ast.Continue: ast.Break,
}
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    **OPPOSITES,
    **{other: one for one, other in OPPOSITES.items()},
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitXor: ast.BitOr,
}
# Statements without which the rest can go on; what they call or change is not done then.
DROPPED = (ast.Expr, ast.AugAssign, ast.Delete, ast.Raise)
LEFT_ALONE = {"annotation", "returns", "decorator_list"}
TESTED = (ast.If, ast.While, ast.IfExp, ast.Assert)


class Mutant(NamedTuple):
    """A changed module; `text` says where and how, and outlives changes of other lines."""

    text: str
    source: str


class Slot(NamedTuple):
    """Where a node stands: in a field of its parent, or at a place of the list in it."""

    parent: Any
    field: str
    at: int | None

    def put(self, node: object) -> None:
        """Have another node there."""
        if self.at is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.at] = node


def mutants(source: str) -> Iterator[Mutant]:
    """All of a module, in the order of its lines; no two have the same text."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    for name, function in _functions(tree, ""):
        for slot, node, statement in _slots(function, function):
            before = _head(statement)
            for other in _others(node, slot):
                slot.put(other)
                shown = other if node is statement else statement
                text = f"{name}: {before} -> {_head(shown)}"
                seen[text] += 1
                number = f" ({seen[text]})" if seen[text] > 1 else ""
                yield Mutant(text + number, ast.unparse(tree))
                slot.put(node)


def _head(statement: ast.AST) -> str:
    """A statement in one line, without those in it."""
    return " ".join(ast.unparse(ast.fix_missing_locations(statement)).split("\n")[0].split())


def _functions(node: ast.AST, within: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Of a module and its classes; what is defined within a function belongs to that one."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.FunctionDef):
            yield within + each.name, each
        elif isinstance(each, ast.ClassDef):
            yield from _functions(each, f"{within}{each.name}.")


def _slots(node: ast.AST, statement: ast.AST) -> Iterator[tuple[Slot, ast.AST, ast.AST]]:
    """Every node below one, where it stands, and the statement that it is in or is."""
    for field, value in ast.iter_fields(node):
        if field in LEFT_ALONE:
            continue
        for at, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(each, ast.AST) or isinstance(each, ast.JoinedStr):
                continue
            within = each if isinstance(each, (ast.stmt, ast.match_case)) else statement
            yield Slot(node, field, at), each, within
            yield from _slots(each, within)


def _others(node: ast.AST, slot: Slot) -> Iterator[ast.AST]:
    """What may be in a node's place."""
    if type(node) in SWAPPED:
        yield SWAPPED[type(node)]()
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, (int, float)):
            yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, DROPPED):
        value = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(value, (ast.Constant, ast.Yield, ast.YieldFrom)):  # a docstring
            yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.expr) and isinstance(slot.parent, TESTED) and _is_plain(slot, node):
        yield ast.UnaryOp(ast.Not(), node)
    if isinstance(slot.parent, ast.comprehension) and slot.field == "ifs":
        yield ast.Constant(True)


def _is_plain(slot: Slot, test: ast.expr) -> bool:
    """Whether it is a condition that nothing else changes."""
    changed = isinstance(test, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant))
    return slot.field == "test" and not changed
