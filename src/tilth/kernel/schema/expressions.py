"""Expressions as the ORM keeps them → plain SQL expressions over tables or placeholders."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, FromClause, Select

from tilth.kernel.schema.rewrite import plain, rewritten

Expression = TypeVar("Expression", bound=ColumnElement[Any])
Replace = Callable[[ColumnElement[Any]], ColumnElement[Any] | None]


def replaced(expression: Expression, replace: Replace) -> Expression:
    """The plain expression with some of its parts replaced; replace answers None to keep one.

    replace sees columns as the ORM annotates them ("local", "remote").
    """

    def replace_column(part: object) -> ColumnElement[Any] | None:
        return replace(part) if isinstance(part, ColumnElement) else None

    return plain(rewritten(expression, replace_column))


def open_to_aliases(expression: Expression, owners: Collection[FromClause]) -> Expression:
    """Subqueries that name the owner's tables in .correlate() then also follow an alias of them."""

    def reopened(part: object) -> Select[Any] | None:
        if not isinstance(part, Select) or not part._correlate:
            return None
        inner = [each for each in part.get_final_froms() if each not in owners]
        return part.correlate(None).correlate_except(*inner)

    return rewritten(expression, reopened)
