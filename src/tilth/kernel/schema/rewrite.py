"""One SQL expression → the same with some parts replaced."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement
from sqlalchemy.sql import visitors
from sqlalchemy.sql.util import _deep_deannotate

Expression = TypeVar("Expression", bound=ColumnElement[Any])


def rewritten(expression: Expression, replace: Callable[[Any], Any]) -> Expression:
    """replace: part → its replacement, or None to keep the part and look inside it."""

    def visit(element: Any, **_: Any) -> Any:
        return replace(element)

    return cast(Expression, visitors.replacement_traverse(expression, {}, visit))


def plain(expression: Expression) -> Expression:
    """The same without the ORM's annotations.

    They make an expression compile as a query of entities, and they keep the inside of any() and
    has() from being rewritten. They are taken away by name: where SQLAlchemy 2.0 is told to take
    away all, a column in has() inside has() becomes that of the outermost table.
    """
    parts = visitors.iterate(expression)
    names = {name for part in parts for name in getattr(part, "_annotations", ())}
    return _deep_deannotate(expression, sorted(names)) if names else expression
