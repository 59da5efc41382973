"""A rule + one actor → true, false, or the SQL that is left to ask per row."""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, false, not_, or_, true
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import (
    BooleanClauseList,
    False_,
    Grouping,
    True_,
    UnaryExpression,
)

from tilth.kernel.policy.rules import Rule
from tilth.kernel.schema.rewrite import plain, rewritten

Folded = bool | ColumnElement[bool]
Decide = Callable[[Rule], bool]

COMPARISONS = frozenset(
    {operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge}
)


def fold(rule: ColumnElement[bool], decide: Decide) -> Folded:
    """Replace each leaf rule by its answer and simplify as far as that decides.

    Simplifying keeps SQL's three values: only a known true or false is dropped, never an unknown.
    """
    match rule:
        case Rule():
            return decide(rule)
        case True_():
            return True
        case False_():
            return False
        case Grouping():
            return fold(cast(ColumnElement[bool], rule.element), decide)
        case UnaryExpression() if is_negation(rule):
            return negated(fold(cast(ColumnElement[bool], rule.element), decide))
        case BooleanClauseList() if rule.operator is operators.and_:
            return conjunction(fold(part, decide) for part in parts_of(rule))
        case BooleanClauseList() if rule.operator is operators.or_:
            return disjunction(fold(part, decide) for part in parts_of(rule))
    return leaves_replaced(rule, decide)


def parts_of(rule: BooleanClauseList) -> list[ColumnElement[bool]]:
    return cast(list[ColumnElement[bool]], list(rule.clauses))


def is_negation(rule: ColumnElement[Any]) -> bool:
    return isinstance(rule, UnaryExpression) and rule.operator is operators.inv


def negated(part: Folded) -> Folded:
    return (not part) if isinstance(part, bool) else not_(part)


def conjunction(parts: Iterable[Folded]) -> Folded:
    start: Folded = True
    return reduce(_both, parts, start)


def disjunction(parts: Iterable[Folded]) -> Folded:
    start: Folded = False
    return reduce(_either, parts, start)


def _both(left: Folded, right: Folded) -> Folded:
    if left is False or right is False:
        return False
    if left is True:
        return right
    return left if right is True else and_(left, right)


def _either(left: Folded, right: Folded) -> Folded:
    if left is True or right is True:
        return True
    if left is False:
        return right
    return left if right is False else or_(left, right)


def leaves(rule: ColumnElement[Any]) -> Iterator[Rule]:
    """Every leaf rule in the expression, also those inside EXISTS."""
    return (part for part in visitors.iterate(rule) if isinstance(part, Rule))


def leaves_replaced(rule: ColumnElement[bool], decide: Decide) -> ColumnElement[bool]:
    """Leaf rules deep inside, where folding does not reach, become SQL's own true and false."""

    def replace(part: object) -> ColumnElement[bool] | None:
        if isinstance(part, Rule):
            return true() if decide(part) else false()
        return None

    return rewritten(plain(rule), replace)
