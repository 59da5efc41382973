"""The catalogue of a SQLite database → what each table is made of and holds."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Computed,
    Connection,
    Row,
    column,
    func,
    select,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeEngine

from tilth.kernel.schema.adoption.moments import SpelledMoment
from tilth.kernel.schema.adoption.storage import Sample, declared_type, fitting_type
from tilth.kernel.schema.kinds import kind_of
from tilth.kernel.store.catalogs.found import Catalog, FoundTable, Names, Reference, default_of
from tilth.kernel.store.catalogs.samples import Unreadable, has_null_in_key, samples_of

_GENERATED = re.compile(r"\s*\bGENERATED ALWAYS$", re.IGNORECASE)
_HIDDEN = 1
_GENERATED_KINDS = (2, 3)


@dataclass(frozen=True, slots=True)
class _Listed:
    """One line of SQLite's table list. kind: table, view, shadow or virtual."""

    name: str
    kind: str
    has_rowid: bool


def sqlite_catalog(connection: Connection) -> Catalog:
    """Every table, view and virtual table that can be read; SQLite's own and shadow tables not."""
    tables: list[FoundTable] = []
    notes: list[str] = []
    for listed in _listed(connection):
        try:
            table, told = _table(connection, listed)
        except (Unreadable, OperationalError) as exc:
            reason = getattr(exc, "orig", None) or exc
            notes.append(f"{listed.kind} {listed.name!r} is left out: {reason}.")
            continue
        if table is not None:
            tables.append(table)
        notes.extend(told)
    return Catalog(tuple(tables), tuple(notes))


def _listed(connection: Connection) -> list[_Listed]:
    rows = _pragma(connection, "table_list", None, "schema", "name", "type", "wr")
    return sorted(
        (
            _Listed(row.name, row.type, not row.wr)
            for row in rows
            if row.schema == "main"
            and row.type != "shadow"
            and not row.name.lower().startswith("sqlite_")
        ),
        key=lambda listed: listed.name,
    )


def _table(connection: Connection, listed: _Listed) -> tuple[FoundTable | None, list[str]]:
    name = listed.name
    rows = _pragma(
        connection, "table_xinfo", name, "name", "type", "notnull", "dflt_value", "pk", "hidden"
    )
    rows = [row for row in rows if row.hidden != _HIDDEN]
    named = [row for row in rows if row.name]
    notes = [f"A column without a name is left out of {name!r}."] * (len(rows) - len(named))
    if not named:
        return None, [f"{listed.kind} {name!r} is left out: it has no columns."]
    declared_key = tuple(row.name for row in sorted(named, key=lambda row: row.pk) if row.pk)
    indexes = _pragma(connection, "index_list", name, "name", "unique", "origin", "partial")
    rowid = _rowid(listed, named, indexes)
    order = _order(listed, declared_key)
    declared = {row.name: _declared(row) for row in named}
    samples = samples_of(connection, name, declared, order)
    key = _usable_key(connection, listed, named, declared_key, rowid)
    if key != declared_key:
        notes.append(f"{name!r} has NULL in its primary key: rows are listed but not addressed.")
    fits = [
        _column(name, row, samples.get(row.name, Sample()), key, is_rowid=row.name == rowid)
        for row in named
    ]
    notes += [note for _, note in fits if note]
    table = FoundTable(
        name,
        None,
        tuple(column for column, _ in fits),
        key,
        tuple(_uniques(connection, indexes)),
        tuple(_references(connection, name)),
        is_view=listed.kind == "view",
    )
    return table, notes


def _order(listed: _Listed, key: Names) -> Sequence[str] | None:
    if listed.kind != "table":
        return None
    return ["rowid"] if listed.has_rowid else key


def _column(
    table: str, row: Row[Any], sample: Sample, key: Names, *, is_rowid: bool
) -> tuple[Column[Any], str | None]:
    declared = _declared(row)
    fitting = fitting_type(declared, sample)
    computed = [Computed("", persisted=None)] if row.hidden in _GENERATED_KINDS else []
    default = default_of(row.dflt_value) if row.dflt_value is not None and not computed else None
    made = Column(
        row.name,
        fitting,
        *computed,
        nullable=not row.notnull and row.name not in key,
        server_default=default,
        autoincrement=is_rowid,
        info={"tilth_kind": "datetime"} if isinstance(fitting, SpelledMoment) else None,
    )
    return made, _misfit(table, row, declared, fitting)


def _declared(row: Row[Any]) -> TypeEngine[Any]:
    return declared_type(_GENERATED.sub("", row.type))


def _rowid(listed: _Listed, rows: Sequence[Row[Any]], indexes: Sequence[Row[Any]]) -> str | None:
    """The column that is an alias of the rowid, which SQLite counts up.

    Every other key has an index of its own, also INTEGER PRIMARY KEY DESC, which may hold text
    (sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key).
    """
    key = [row.name for row in rows if row.pk]
    is_alias = listed.has_rowid and len(key) == 1 and all(each.origin != "pk" for each in indexes)
    return key[0] if is_alias else None


def _usable_key(
    connection: Connection,
    listed: _Listed,
    rows: Sequence[Row[Any]],
    key: Names,
    rowid: str | None,
) -> Names:
    may_hold_null = listed.has_rowid and any(
        row.pk and not row.notnull and row.name != rowid for row in rows
    )
    return () if may_hold_null and has_null_in_key(connection, listed.name, key) else key


def _misfit(
    table: str, row: Row[Any], declared: TypeEngine[Any], fitting: TypeEngine[Any]
) -> str | None:
    """Told when the values are of another kind than the declared type."""
    expected, found = kind_of(declared, "sqlite"), kind_of(fitting, "sqlite")
    if expected is None or found is None or expected.name == found.name:
        return None
    return f"{table}.{row.name} is declared {row.type} and holds other values: it is {found.name}."


def _uniques(connection: Connection, indexes: Sequence[Row[Any]]) -> Iterator[Names]:
    for index in indexes:
        if index.unique and not index.partial and index.origin != "pk":
            rows = _pragma(connection, "index_info", index.name, "seqno", "name")
            # An expression has no name.
            if all(row.name for row in rows):
                yield tuple(row.name for row in rows)


def _references(connection: Connection, table: str) -> Iterator[Reference]:
    rows = _pragma(connection, "foreign_key_list", table, "id", "seq", "table", "from", "to")
    for _, group in groupby(rows, key=lambda row: row.id):
        parts = [row._mapping for row in sorted(group, key=lambda row: row.seq)]
        referred = tuple(part["to"] for part in parts)
        yield Reference(
            tuple(part["from"] for part in parts),
            parts[0]["table"],
            referred if all(referred) else (),
        )


def _pragma(
    connection: Connection, name: str, argument: str | None, *columns: str
) -> Sequence[Row[Any]]:
    arguments = () if argument is None else (argument,)
    rows = getattr(func, f"pragma_{name}")(*arguments).table_valued(*columns)
    chosen: list[ColumnElement[Any]] = [column(each) for each in columns]
    return connection.execute(select(*chosen).select_from(rows)).all()
