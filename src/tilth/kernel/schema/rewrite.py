"""One SQL expression → the same with some parts replaced."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Select
from sqlalchemy.sql import visitors

Expression = TypeVar("Expression", bound=ColumnElement[Any] | Select[Any])


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
    return _without(expression, sorted({*names, "no_replacement_traverse"}))


def _without(expression: Expression, names: Sequence[str]) -> Expression:
    """Each part once, told by its identity: annotated columns of two aliases can be equal."""
    known: dict[int, tuple[Any, Any]] = {}

    def clone(part: Any, **_: Any) -> Any:
        # The part is kept beside its copy: an identity is only one as long as its object lives.
        if id(part) not in known:
            copy = part._deannotate(values=names, clone=True)
            known[id(part)] = part, copy
            copy._copy_internals(clone=clone)
        return known[id(part)][1]

    return cast(Expression, clone(expression))
