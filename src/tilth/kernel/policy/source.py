"""Where a policy is written → Python's own operators in its rules, which leave part of them out.

`a and b`, `not a` or `a is None` is decided once, when the module is imported, and what comes out
looks like any other rule: only the source shows that something is missing.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

NO_RULES = frozenset(["hidden", "read_only", "write_once", "preset"])
"""Options of Policy that take names and values."""

WORDS = frozenset(["public", "signed_in", "role", "owner", "me"])

PARENTHESES = "Put each comparison in parentheses: (a == b) | (c == d)."


@dataclass(frozen=True, slots=True)
class Slip:
    """One operator that Python decides. option: of Policy, such as "read". line: counted from 1."""

    option: str
    line: int
    text: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Source:
    """One parsed file. calls: by the line they begin in. values: what its names may stand for."""

    calls: Mapping[int, Sequence[ast.Call]]
    values: Mapping[str, Sequence[ast.expr]]


class Sources:
    """Files as they are now, each parsed once: many policies are in one."""

    def __init__(self) -> None:
        self._parsed: dict[str, Source] = {}

    def slips_at(self, file: str, line: int) -> list[Slip]:
        """Those in the arguments of the calls that begin there; none where there is no source."""
        source = self._source(file)
        found: dict[ast.expr, Slip] = {}
        for call in source.calls.get(line, ()):
            given = [("policy", value) for value in call.args]
            given += [(each.arg or "policy", each.value) for each in call.keywords]
            for option, value in given:
                if option not in NO_RULES:
                    found |= dict(_slips(option, value, source.values))
        return list(found.values())

    def _source(self, file: str) -> Source:
        if file not in self._parsed:
            linecache.checkcache(file)
            self._parsed[file] = _source_from("".join(linecache.getlines(file)))
        return self._parsed[file]


def _source_from(text: str) -> Source:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # the file has changed since it was imported
        return Source({}, {})
    calls: dict[int, list[ast.Call]] = {}
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            calls.setdefault(node.lineno, []).append(node)
        for name, value in _named(node):
            values.setdefault(name, []).append(value)
    return Source(calls, values)


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What an assignment gives a name to, what a function answers."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.FunctionDef(name=name):
            answers = (each for each in ast.walk(node) if isinstance(each, ast.Return))
            yield from ((name, each.value) for each in answers if each.value is not None)


def _slips(
    option: str, value: ast.expr, values: Mapping[str, Sequence[ast.expr]]
) -> Iterator[tuple[ast.expr, Slip]]:
    ahead, seen = [value], {""}
    while ahead:
        node = ahead.pop()
        told = _told(node)
        if told is not None:
            yield node, Slip(option, node.lineno, ast.unparse(node), *told)
            continue
        if isinstance(node, ast.Name) and node.id not in seen:
            seen.add(node.id)
            ahead += values.get(node.id, ())
        ahead += _parts(node)


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    """Where a rule may stand. What `if` asks in between is meant for Python."""
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.keyword):
            yield child.value


def _told(node: ast.expr) -> tuple[str, str] | None:
    """Reason and remedy, when Python decides what the database should."""
    match node:
        case ast.BoolOp(values=values) if any(map(_is_policy, values)):
            return None  # which policy, not which rows
        case ast.BoolOp(op=op) if _is_rule(node):
            word, sign = ("and", "&") if isinstance(op, ast.And) else ("or", "|")
            return f"Python's {word!r} keeps only one side of it.", f"Write (a) {sign} (b)."
        case ast.UnaryOp(op=ast.Not()) if _is_rule(node):
            return "Python's 'not' turns it into False or True.", "Write ~(a)."
        case ast.Compare():
            return _told_of_comparison(node)
    return None


def _told_of_comparison(node: ast.Compare) -> tuple[str, str] | None:
    if not any(map(_is_rule, (node.left, *node.comparators))):
        return None
    if len(node.ops) > 1:
        return "Python keeps only one comparison of a chain.", "Write (a == b) & (b == c)."
    if isinstance(node.ops[0], ast.Is | ast.IsNot):
        return "Python decides it once, for all rows.", "Write .is_(None) or .is_not(None)."
    if isinstance(node.ops[0], ast.In | ast.NotIn):
        return "Python decides it once, for all rows.", "Write .in_([...]) or .not_in([...])."
    if any(map(_is_joined, (node.left, *node.comparators))):
        return "& and | bind tighter than a comparison.", PARENTHESES
    return None


def _is_joined(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd)


def _is_policy(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Policy")


def _is_rule(node: ast.expr) -> bool:
    """It compares, or names a column or a word of policies, as far as a name can tell."""
    return any(map(_is_about_rows, ast.walk(node)))


def _is_about_rows(node: ast.AST) -> bool:
    match node:
        case ast.Compare():
            return True
        case ast.Name(id=name):
            return name in WORDS
        case ast.Attribute(value=ast.Name(id=name)):
            return name[:1].isupper()
    return False
