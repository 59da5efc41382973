"""Expressions as the ORM keeps them → plain SQL expressions over tables or placeholders."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.util import _deep_deannotate
from sqlalchemy.sql.visitors import replacement_traverse

Element = TypeVar("Element", bound=ClauseElement)
Replace = Callable[[ColumnElement[Any]], ColumnElement[Any] | None]


def plain(expression: Element) -> Element:
    """The same expression without ORM annotations, which would make it compile as a query of entities."""
    return _deep_deannotate(expression)


def replaced(expression: Element, replace: Replace) -> Element:
    """The plain expression with some of its columns replaced; replace answers None to keep one.

    replace sees columns as the ORM annotates them ("remote", "foreign").
    """

    def step(element: Any, **_: Any) -> Any:
        return replace(element) if isinstance(element, ColumnElement) else None

    return plain(replacement_traverse(expression, {}, step))
