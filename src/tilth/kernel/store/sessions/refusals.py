"""What the database refuses in the developer's own changes → the fields, as the API tells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Table
from sqlalchemy.exc import IntegrityError

from tilth.errors import ProblemError
from tilth.kernel.policy.access import Access
from tilth.kernel.store.integrity import (
    FOREIGN_KEY,
    is_of,
    kind_of,
    still_referenced,
    table_of,
    violation,
)
from tilth.kernel.store.scope import Scope


@contextmanager
def fields_told(scope: Scope) -> Iterator[None]:
    """Around all that is done in a scope: inside, SQLAlchemy's own error can be caught as ever.

    Raises Conflict or Invalid, as far as the row is of something exposed.
    """
    try:
        yield
    except IntegrityError as exc:
        told = _refusal(scope, exc)
        if told is None:
            raise
        raise told from exc


def _refusal(scope: Scope, exc: IntegrityError) -> ProblemError | None:
    if kind_of(exc) == FOREIGN_KEY and (exc.statement or "").lstrip().upper().startswith("DELETE"):
        return still_referenced()
    access = _access(scope, exc)
    return None if access is None else violation(exc, access, "")


def _access(scope: Scope, exc: IntegrityError) -> Access | None:
    """Of the first resource that has rows in the table."""
    table = table_of(exc)
    for name, resource in scope.sight.schema.items():
        tables = {each.name for each in resource.tables if isinstance(each, Table)}
        access = scope.sight.access(name)
        if table in tables or (table is None and is_of(exc, access)):
            return access
    return None
