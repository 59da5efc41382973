"""Tables of the target: made without references, which are added when all rows are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import (
    Connection,
    ForeignKeyConstraint,
    Identity,
    Integer,
    MetaData,
    Table,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import AddConstraint

from tilth.errors import CommandError
from tilth.kit.text import sentence_list


def existing(connection: Connection, tables: Sequence[Table]) -> list[str]:
    inspector = inspect(connection)
    return [t.fullname for t in tables if inspector.has_table(t.name, schema=t.schema)]


def make_tables(connection: Connection, tables: Sequence[Table]) -> None:
    """SQLite cannot add references later, and does not look at them while they are off."""
    copies = {each: MetaData(naming_convention=each.naming_convention) for each in _homes(tables)}
    wanted: list[Table] = []
    for table in tables:
        copy = table.to_metadata(copies[table.metadata])
        for reference in copy.foreign_key_constraints:
            reference.ddl_if(dialect="sqlite")
        for column in copy.columns:
            if isinstance(column.identity, Identity):
                # Rows come with their numbers.
                column.identity.always = False
        wanted.append(copy)
    for table in tables:
        # References across are found by name, in the same metadata only.
        home = copies[table.metadata]
        for target in {key.column.table for key in table.foreign_keys}:
            if target.key not in home.tables:
                target.to_metadata(home)
    for metadata in copies.values():
        own = [table for table in wanted if table.metadata is metadata]
        metadata.create_all(connection, tables=own, checkfirst=False)


def add_references(connection: Connection, tables: Sequence[Table]) -> None:
    """Raises CommandError, or an error of the database, for rows that refer to none."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            names = sentence_list(sorted({str(row[0]) for row in broken}))
            raise CommandError(
                f"Rows of {names} refer to rows that are not there, already where they come from.",
                "Mend or delete them there, delete the target, and move again.",
            )
        return
    for table in tables:
        for reference in sorted(table.foreign_key_constraints, key=_order):
            connection.execute(AddConstraint(reference, isolate_from_table=False))


def continue_numbers(source: Connection, target: Connection, tables: Sequence[Table]) -> None:
    """The next row gets the number it would have got at home: deleted ones are not given again."""
    for table, column in _numbered(tables):
        highest = target.scalar(select(func.max(table.c[column])))
        last = max(filter(None, (highest, _last_number(source, table, column))), default=None)
        if last is None:
            continue
        if target.dialect.name == "sqlite":
            _continue_sqlite(target, table, last)
        else:
            place = func.pg_get_serial_sequence(_quoted(target, table), column)
            target.execute(select(func.setval(place, last)).where(place.is_not(None)))


def _last_number(source: Connection, table: Table, column: str) -> int | None:
    if source.dialect.name == "sqlite":
        if not inspect(source).has_table("sqlite_sequence"):
            return None
        asked = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        found: int | None = source.scalar(asked, {"name": table.name})
        return found
    place = func.pg_get_serial_sequence(_quoted(source, table), column)
    found = source.scalar(select(func.pg_sequence_last_value(place)))
    return found


def _continue_sqlite(target: Connection, table: Table, last: int) -> None:
    """Only tables with AUTOINCREMENT are in it."""
    if inspect(target).has_table("sqlite_sequence"):
        changed = text("UPDATE sqlite_sequence SET seq = :last WHERE name = :name")
        target.execute(changed, {"last": last, "name": table.name})


def _numbered(tables: Sequence[Table]) -> Iterator[tuple[Table, str]]:
    for table in tables:
        column = table.autoincrement_column
        if column is not None and isinstance(column.type, Integer):
            yield table, column.name


def _quoted(connection: Connection, table: Table) -> str:
    return connection.dialect.identifier_preparer.format_table(table)


def _homes(tables: Sequence[Table]) -> list[MetaData]:
    return list(dict.fromkeys(table.metadata for table in tables))


def _order(reference: ForeignKeyConstraint) -> list[str]:
    return list(reference.column_keys)
