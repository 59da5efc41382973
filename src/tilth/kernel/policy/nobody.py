"""A rule as it is left to ask per row → whether it can hold for somebody who has not signed in.

Nobody's id is NULL, and what is compared with NULL is neither true nor false, nor is its opposite.
"""

from __future__ import annotations

from itertools import product
from typing import cast

from sqlalchemy import BinaryExpression, BindParameter, ColumnElement
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, Grouping, UnaryExpression

from tilth.kernel.policy.fold import COMPARISONS, Folded, is_negation, parts_of

Truth = bool | None
"""None: unknown, as SQL has it."""

_ANY: frozenset[Truth] = frozenset({True, False, None})
_UNKNOWN: frozenset[Truth] = frozenset({None})


def can_hold_for_nobody(rule: Folded) -> bool:
    return True in _truths(rule)


def _truths(rule: Folded) -> frozenset[Truth]:
    """What may come out, whatever the row."""
    match rule:
        case bool():
            return frozenset({rule})
        case Grouping():
            return _truths(cast(ColumnElement[bool], rule.element))
        case UnaryExpression() if is_negation(rule):
            inner = _truths(cast(ColumnElement[bool], rule.element))
            return frozenset(None if truth is None else not truth for truth in inner)
        case BooleanClauseList() if rule.operator in (operators.and_, operators.or_):
            join = _both if rule.operator is operators.and_ else _either
            found = _truths(parts_of(rule)[0])
            for part in parts_of(rule)[1:]:
                found = frozenset(join(*pair) for pair in product(found, _truths(part)))
            return found
        case BinaryExpression() if rule.operator in COMPARISONS:
            return _UNKNOWN if any(map(_is_my_id, (rule.left, rule.right))) else _ANY
    return _ANY


def _both(one: Truth, other: Truth) -> Truth:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _either(one: Truth, other: Truth) -> Truth:
    if one is True or other is True:
        return True
    return None if one is None or other is None else False


def _is_my_id(side: object) -> bool:
    return isinstance(side, BindParameter) and bool(side.key == "me_id")
