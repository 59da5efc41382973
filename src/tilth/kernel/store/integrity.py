"""A violated constraint → which fields of which row, in the words of the API.

PostgreSQL names the constraint, MariaDB does so within its message. SQLite names a CHECK, and for the
others only columns, in a message that has been the same since 2013: there is nothing else to read it
from. Of a foreign key it names nothing: kernel.store.drivers.sqlite_references finds out.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.schema import ColumnCollectionConstraint

from tilth.errors import Conflict, Fault, Invalid, ProblemError, invalid
from tilth.kernel.plan.body import member
from tilth.kernel.policy.access import Access
from tilth.kernel.store.drivers.sqlite_references import columns_of_broken_reference
from tilth.kit.text import sentence_list

UNIQUE, FOREIGN_KEY, CHECK, NOT_NULL = "unique", "foreign_key", "check", "not_null"

_BY_STATE = {"23505": UNIQUE, "23503": FOREIGN_KEY, "23514": CHECK, "23502": NOT_NULL}
_BY_CODE = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_ROWID: UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: FOREIGN_KEY,
    sqlite3.SQLITE_CONSTRAINT_CHECK: CHECK,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: NOT_NULL,
}
_BY_NUMBER = {
    **dict.fromkeys((1062, 1586, 1022), UNIQUE),
    **dict.fromkeys((1216, 1217, 1451, 1452), FOREIGN_KEY),
    **dict.fromkeys((1048, 1364), NOT_NULL),
}
"""Of MariaDB's errors; 4025 is a CHECK."""
BREAKS_A_RULE = "Breaks a rule of the database."
RAISED_BY_A_TRIGGER = "P0001"

_BACKQUOTED = re.compile(r"`([^`]+)`")
_QUOTED = re.compile(r"'([^']*)'")
_MARIADB_REFERENCE = re.compile(
    r"`(?P<table>[^`]+)`, CONSTRAINT `[^`]+` FOREIGN KEY \((?P<columns>[^)]+)\)"
)
MOST_NAME_BYTES = 63
"""Of PostgreSQL's names."""

_WORD = re.compile(r"\w+")
_SQLITE_PLACE = re.compile(r"constraint failed: (?P<place>.+)", re.DOTALL)


def kind_of(exc: IntegrityError) -> str:
    """UNIQUE, FOREIGN_KEY, NOT_NULL, or CHECK for everything else a database may be told to refuse."""
    return _told(exc)[0]


def violation(exc: IntegrityError, access: Access, pointer: str) -> ProblemError:
    """A 409 or 422 that names the fields, as far as the caller may read them.

    pointer: where in the request the row is described.
    """
    kind, name, columns = _told(exc)
    fields = list(_readable(access, columns or _columns_of(access, name)))
    if kind == UNIQUE:
        return _refused(fields, pointer, "unique", "Another row has this value already.", Conflict)
    if kind == FOREIGN_KEY:
        return no_such_row([pointer + member(name) for name in fields] or [pointer])
    if kind == NOT_NULL:
        return _refused(fields, pointer, "required", "Must not be null.", Invalid)
    is_telling = name is not None and _is_known(access, name)
    sentence = f"Does not hold: {name}." if is_telling else BREAKS_A_RULE
    return _refused(fields, pointer, "check", sentence, Invalid)


def table_of(exc: IntegrityError) -> str | None:
    """The table whose row was refused, without its schema, as far as the database says it."""
    named: str | None = getattr(getattr(exc.orig, "diag", None), "table_name", None)
    columns = _told(exc)[2]
    return named or (columns[0].rpartition(".")[0] or None if columns else None)


def is_of(exc: IntegrityError, access: Access) -> bool:
    """Where no table is told: whether the constraint, or else the column, is one of the resource's."""
    _, name, columns = _told(exc)
    return bool(_columns_of(access, name)) or any(_readable(access, columns))


def broken_rule(pointer: str) -> ProblemError:
    """Of a trigger, whose own words are for the log: nobody knows which columns they speak of."""
    return invalid([Fault(pointer, "check", BREAKS_A_RULE)])


def is_raised_by_a_trigger(exc: StatementError) -> bool:
    """By PostgreSQL; what SQLite raises there is an IntegrityError."""
    return getattr(exc.orig, "sqlstate", None) == RAISED_BY_A_TRIGGER


def not_kept(pointer: str) -> Conflict:
    """A trigger may pass over a change without an error."""
    detail = "The database has not made this change, and not said why: a trigger passes over it."
    return Conflict(detail, code="not_kept", faults=[Fault(pointer, "not_kept", detail)])


def no_such_row(pointers: Sequence[str]) -> Conflict:
    """The same for a row that is absent and one that is hidden from the caller."""
    faults = [Fault(pointer, "no_such_row", "There is no such row.") for pointer in pointers]
    detail = f"There is no such row as {', '.join(pointers) or 'the body'} names."
    return Conflict(detail, code="no_such_row", faults=faults)


def still_referenced() -> Conflict:
    return Conflict(
        "Other rows refer to this one, so it cannot be deleted. Delete or change those first.",
        code="referenced",
    )


def _refused(
    fields: Sequence[str], pointer: str, code: str, sentence: str, error: type[ProblemError]
) -> ProblemError:
    faults = [Fault(pointer + member(name), code, sentence) for name in fields] or [
        Fault(pointer, code, sentence)
    ]
    if error is Invalid:
        return invalid(faults)
    named = "A value"
    if fields:
        named = f"The value{'s' if len(fields) > 1 else ''} of {sentence_list(fields)}"
    detail = f"{named} cannot be stored: {sentence[0].lower()}{sentence[1:]}"
    return error(detail, code=code, faults=faults)


def _told(exc: IntegrityError) -> tuple[str, str | None, list[str]]:
    """(kind, name of the constraint or index, "table.column" texts)."""
    orig: Any = exc.orig
    if isinstance(orig, sqlite3.Error):
        return _told_by_sqlite(orig)
    if not hasattr(orig, "diag"):
        return _told_by_mariadb(*orig.args[:2])
    diagnosis = orig.diag
    kind = _BY_STATE.get(orig.sqlstate or "", CHECK)
    if kind == NOT_NULL:
        return kind, None, [f"{diagnosis.table_name}.{diagnosis.column_name}"]
    return kind, diagnosis.constraint_name, []


def _told_by_sqlite(exc: sqlite3.Error) -> tuple[str, str | None, list[str]]:
    kind = _BY_CODE.get(exc.sqlite_errorcode, CHECK)
    if kind == FOREIGN_KEY:
        return kind, None, columns_of_broken_reference(exc)
    found = _SQLITE_PLACE.search(str(exc))
    place = found["place"] if found else ""
    if kind == CHECK or place.startswith("index "):
        return kind, place.removeprefix("index ").strip("'") or None, []
    return kind, None, place.split(", ") if place else []


def _told_by_mariadb(number: int, message: str) -> tuple[str, str | None, list[str]]:
    """Connections ask for English; what is told of a foreign key is its columns, without a schema."""
    kind = _BY_NUMBER.get(number, CHECK)
    if kind == FOREIGN_KEY:
        found = _MARIADB_REFERENCE.search(message)
        columns = _BACKQUOTED.findall(found["columns"]) if found else []
        return kind, None, [f"{found['table']}.{column}" for column in columns] if found else []
    if kind == CHECK:
        named = _BACKQUOTED.search(message)
        return kind, named[1].rpartition(".")[2] if named else None, []
    quoted = _QUOTED.findall(message)
    if kind == NOT_NULL:
        return kind, None, [f".{quoted[0]}"] if quoted else []
    return kind, quoted[-1].rpartition(".")[2] if quoted else None, []


def _columns_of(access: Access, name: str | None) -> list[str]:
    """Of a constraint or unique index by its name; PostgreSQL makes one up where the model has none.

    A CHECK written as text does not say its columns: those whose names occur in it are taken.
    """
    if name is None:
        return []
    tables = _tables(access)
    for table in tables:
        for each in _constraints(table):
            if name in (each.name, made_up_name(table, each), made_up_by_mariadb(each)):
                return [_place(column) for column in columns_of(table, each)]
    # SQLite shows a CHECK without a name by its text.
    return [_place(column) for table in tables for column in _mentioned(table, name)]


def _is_known(access: Access, name: str) -> bool:
    """Whether a CHECK, shown by its name or its text, speaks of what the caller may read alone."""
    told = {field.expression for field in access.fields.values()}
    hidden = {_place(c) for table in _tables(access) for c in table.columns if c not in told}
    columns = _columns_of(access, name)
    return hidden.isdisjoint(columns) if columns else not hidden


def _tables(access: Access) -> list[Table]:
    return [table for table in access.resource.tables if isinstance(table, Table)]


def _place(column: Column[Any]) -> str:
    return f"{column.table.name}.{column.name}"


def columns_of(table: Table, constraint: ColumnCollectionConstraint | Index) -> list[Column[Any]]:
    """table: its own; a CHECK that was declared with a column does not know it."""
    named = list(constraint.columns)
    return named or _mentioned(table, str(getattr(constraint, "sqltext", "")))


def _mentioned(table: Table, text: str) -> list[Column[Any]]:
    words = set(_WORD.findall(text))
    return [column for column in table.columns if column.name in words]


def _constraints(table: Table) -> Iterator[ColumnCollectionConstraint | Index]:
    yield from (e for e in table.constraints if isinstance(e, ColumnCollectionConstraint))
    yield from (e for e in _checks_in_order(table) if e not in table.constraints)
    yield from table.indexes


def made_up_name(table: Table, constraint: ColumnCollectionConstraint | Index) -> str | None:
    """What PostgreSQL calls a constraint that was created without a name."""
    match constraint:
        case PrimaryKeyConstraint():
            return f"{table.name}_pkey"
        case UniqueConstraint():
            suffix = "key"
        case ForeignKeyConstraint():
            suffix = "fkey"
        case CheckConstraint():
            return _made_up_name_of_check(table, constraint)
        case _:
            return None
    return _shortened(table.name, "_".join(column.name for column in constraint.columns), suffix)


def _shortened(table: str, columns: str, suffix: str) -> str:
    """As PostgreSQL does it: the longer of the two gives way, byte by byte."""
    parts = [part.encode() for part in (table, columns)]
    room = MOST_NAME_BYTES - len(suffix) - 1 - bool(columns)
    while sum(map(len, parts)) > room:
        longer = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longer] = parts[longer][:-1]
    named = [part.decode(errors="ignore") for part in parts if part]
    return "_".join([*named, suffix])


def _made_up_name_of_check(table: Table, check: CheckConstraint) -> str | None:
    """With the column it is about, if it is about one; those after the first are numbered."""
    if check.name is not None:
        return None

    def about(each: CheckConstraint) -> str:
        columns = columns_of(table, each)
        return columns[0].name if len(columns) == 1 else ""

    checks = [each for each in _checks_in_order(table) if each.name is None]
    alike = [each for each in checks if about(each) == about(check)]
    place = next(place for place, each in enumerate(alike) if each is check)
    return _shortened(table.name, about(check), f"check{place or ''}")


def _checks_in_order(table: Table) -> Iterator[CheckConstraint]:
    """As CREATE TABLE has them: those of the columns come first."""
    of_columns = [each for column in table.columns for each in column.constraints]
    others = [each for each in table._sorted_constraints if each not in of_columns]
    yield from (e for e in (*of_columns, *others) if isinstance(e, CheckConstraint))


def made_up_by_mariadb(constraint: ColumnCollectionConstraint | Index) -> str | None:
    """What MariaDB calls an index that was created without a name; a second one ends in _2."""
    if isinstance(constraint, PrimaryKeyConstraint):
        return "PRIMARY"
    is_unnamed = isinstance(constraint, UniqueConstraint) and constraint.name is None
    return next((column.name for column in constraint.columns), None) if is_unnamed else None


def _readable(access: Access, columns: Sequence[str]) -> Iterator[str]:
    """Field names in the order of the resource; a hidden one is not told."""
    for name, field in access.fields.items():
        expression = field.expression
        if (
            isinstance(expression, Column)
            # Of a column that must not be NULL, MariaDB does not say the table.
            and {f"{expression.table.name}.{expression.name}", f".{expression.name}"} & set(columns)
        ):
            yield name
