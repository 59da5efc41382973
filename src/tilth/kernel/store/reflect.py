"""An existing database → SQLAlchemy tables with the types, keys and references it has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Engine,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from tilth.errors import CommandError
from tilth.kernel.store.catalogs.found import Catalog, FoundTable, Reference
from tilth.kernel.store.catalogs.postgresql import postgresql_catalog
from tilth.kernel.store.catalogs.sqlite import sqlite_catalog

OWN_TABLES = "tilth_"


@dataclass(frozen=True, slots=True, eq=False)
class Reflected:
    """metadata: info of a table without a key has "tilth_no_key", of a view "tilth_view".

    notes: a sentence for each thing that was left out or is read otherwise than it is declared.
    """

    metadata: MetaData
    notes: tuple[str, ...] = ()


def reflect_database(engine: Engine, schema: str | None = None) -> Reflected:
    """Read the catalogue; nothing is written. SQLite: also up to 1,000 rows of each table.

    schema: of PostgreSQL, None for the first of the search path.
    Raises SQLAlchemy's errors when the database cannot be read at all.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return reflected_from(sqlite_catalog(connection))
        return reflected_from(postgresql_catalog(connection, schema))


def no_tables(schema: str | None) -> CommandError:
    place = f"schema {schema!r}" if schema else "database"
    return CommandError(f"There are no tables in the {place}.", "Check the database URL.")


def reflected_from(catalog: Catalog) -> Reflected:
    """References are followed to keys of tables that are there; others are noted and left out."""
    metadata = MetaData()
    found = {each.name: each for each in catalog.tables if not each.name.startswith(OWN_TABLES)}
    tables = {name: _table(each, metadata) for name, each in found.items()}
    notes = list(catalog.notes)
    for each in found.values():
        for reference in dict.fromkeys(each.references):
            problem = _connect(tables[each.name], reference, found, tables)
            if problem:
                columns = ", ".join(reference.columns)
                notes.append(f"{each.name}.{columns}: the foreign key is left out: {problem}.")
    return Reflected(metadata, tuple(notes))


def _table(found: FoundTable, metadata: MetaData) -> Table:
    return Table(
        found.name,
        metadata,
        *found.columns,
        PrimaryKeyConstraint(*found.key),
        *(UniqueConstraint(*names) for names in dict.fromkeys(found.uniques)),
        schema=found.schema,
        comment=found.comment,
        info={"tilth_view": found.is_view, "tilth_no_key": not found.key},
    )


def _connect(
    table: Table,
    reference: Reference,
    found: Mapping[str, FoundTable],
    tables: Mapping[str, Table],
) -> str | None:
    """Add the foreign key, or say why it cannot be followed."""
    name = _named(reference.table, tables)
    if name is None:
        return f"there is no table {reference.table!r}"
    columns = _all_named(reference.columns, table)
    referred = _all_named(reference.referred or found[name].key, tables[name])
    if columns is None or referred is None or not len(columns) == len(referred) > 0:
        return f"it does not fit the columns of {name!r}"
    unique = [found[name].key, *found[name].uniques]
    if not any(names and set(names) <= set(referred) for names in unique):
        return f"what it refers to in {name!r} is not unique"
    targets = [tables[name].columns[each] for each in referred]
    table.append_constraint(ForeignKeyConstraint(columns, targets))
    return None


def _all_named(names: Sequence[str], table: Table) -> list[str] | None:
    found = [_named(name, table.columns.keys()) for name in names]
    return None if None in found else [name for name in found if name is not None]


def _named(name: str, existing: Iterable[str]) -> str | None:
    """SQLite takes names in any case, so a reference may be spelled otherwise than its table."""
    names = list(existing)
    if name in names:
        return name
    return next((each for each in names if each.lower() == name.lower()), None)
