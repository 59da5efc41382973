"""Expressions as the ORM keeps them → plain SQL expressions over tables or placeholders."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.sql.util import _deep_deannotate

from tilth.kernel.schema.rewrite import rewritten

Expression = TypeVar("Expression", bound=ColumnElement[Any])
Replace = Callable[[ColumnElement[Any]], ColumnElement[Any] | None]


def plain(expression: Expression) -> Expression:
    """The same without ORM annotations, which would make it compile as a query of entities."""
    return _deep_deannotate(expression)


def replaced(expression: Expression, replace: Replace) -> Expression:
    """The plain expression with some of its parts replaced; replace answers None to keep one.

    replace sees columns as the ORM annotates them ("local", "remote").
    """

    def replace_column(part: object) -> ColumnElement[Any] | None:
        return replace(part) if isinstance(part, ColumnElement) else None

    return plain(rewritten(expression, replace_column))
