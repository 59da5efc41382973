"""A rule → whether a combination of rules is compared in it, for want of parentheses.

Hero.open | Hero.age >= 18    is (Hero.open | Hero.age) >= 18 to Python
"""

from __future__ import annotations

from sqlalchemy import BinaryExpression, ColumnElement
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BooleanClauseList, Grouping, UnaryExpression

from tilth.kernel.policy.fold import COMPARISONS
from tilth.kernel.policy.rules import Owner, Rule


def compares_a_combination(rule: ColumnElement[bool]) -> bool:
    """Whether a comparison has a combination of rules on one side. On both, it says what it means."""
    return any(
        _is_combined(part.left) != _is_combined(part.right)
        for part in visitors.iterate(rule)
        if isinstance(part, BinaryExpression) and part.operator in COMPARISONS
    )


def _is_combined(side: object) -> bool:
    if isinstance(side, Grouping):
        return _is_combined(side.element)
    if isinstance(side, UnaryExpression):
        return side.operator is operators.inv
    return isinstance(side, BooleanClauseList | Rule | Owner)
