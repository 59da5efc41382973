"""A database → SQLAlchemy tables that say all of it, so that what is dropped can be brought back."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Connection,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import String

from tilth.runtime.migrate.postgresql.shape import SERIAL
from tilth.runtime.migrate.shape import ConstraintShape, Shape, TableShape
from tilth.runtime.migrate.sqlite.rebuild import neighbours
from tilth.runtime.migrate.sqlite.tokens import closing, parts, spelled, tokens_of


def existing_metadata(
    connection: Connection, shape: Shape, schemas: Iterable[str] = ()
) -> MetaData:
    """shape: of the same database."""
    metadata = MetaData()
    with warnings.catch_warnings():
        # SQLAlchemy tells what it does not read of SQLite; that is added below.
        warnings.simplefilter("ignore", SAWarning)
        for schema in (None, *schemas):
            names = [name for name in shape.tables if _belongs(name, schema)]
            plain = [name.removeprefix(f"{schema}.") for name in names]
            metadata.reflect(connection, schema=schema, only=plain, resolve_fks=False)
    if connection.dialect.name == "sqlite":
        for table in metadata.tables.values():
            _complete(connection, table, shape.tables[table.name])
    else:
        for table in metadata.tables.values():
            _without_duplicates(table, shape.tables[table.fullname])
    return metadata


def _belongs(name: str, schema: str | None) -> bool:
    return name.startswith(f"{schema}.") if schema else "." not in name


def _without_duplicates(table: Table, shape: TableShape) -> None:
    """SERIAL is written as autoincrement, and an index of a constraint not as an index."""
    for column in table.columns:
        said = shape.column(column.name)
        if said is not None and said.default == SERIAL and column.primary_key:
            column.server_default = None
    names = {each.name for each in shape.indexes}
    for index in [each for each in table.indexes if each.name not in names]:
        table.indexes.discard(index)


def _complete(connection: Connection, table: Table, shape: TableShape) -> None:
    """What SQLAlchemy does not read: collations, checks, names, expressions, AUTOINCREMENT."""
    for column in table.columns:
        said = shape.column(column.name)
        if said is not None and said.collation and isinstance(column.type, String):
            column.type.collation = said.collation
        if said is not None:
            _complete_column(column, said.nullable, said.generated)
    for constraint in list(table.constraints):
        if isinstance(constraint, CheckConstraint | UniqueConstraint):
            table.constraints.discard(constraint)
    for each in shape.constraints:
        _add_constraint(table, each)
    table.indexes.clear()
    for index in neighbours(connection, table.name):
        if index.kind == "index":
            index_from(index.name, index.sql, table)
    options = shape.options.split()
    if "autoincrement" in options:
        table.dialect_options["sqlite"]["autoincrement"] = True
    table.dialect_options["sqlite"]["strict"] = "strict" in options
    table.dialect_options["sqlite"]["with_rowid"] = "rowid" not in options


def _complete_column(column: Column[Any], nullable: bool, generated: str | None) -> None:
    column.nullable = nullable
    if generated is not None:
        expression, _, how = generated.rpartition(" ")
        column.server_default = None
        column.computed = None
        Computed(expression, persisted=how == "stored")._set_parent(column)


def _add_constraint(table: Table, shape: ConstraintShape) -> None:
    if shape.kind == "check":
        table.append_constraint(CheckConstraint(text(shape.definition), name=shape.name))
    elif shape.kind == "unique":
        table.append_constraint(UniqueConstraint(*shape.columns, name=shape.name))
    elif shape.kind == "primary key" and shape.is_named:
        table.primary_key.name = shape.name
    elif shape.kind == "foreign key":
        for constraint in table.foreign_key_constraints:
            same = tuple(constraint.column_keys) == shape.columns
            if same and constraint.referred_table.name == shape.target:
                _complete_foreign_key(constraint, shape)


def _complete_foreign_key(constraint: ForeignKeyConstraint, shape: ConstraintShape) -> None:
    """SQLAlchemy finds no actions where a quote stands in a name."""
    constraint.name = shape.name
    said = shape.definition.rpartition(")")[2]
    for action in ("delete", "update"):
        found = re.search(rf"on {action} (cascade|set null|set default|restrict)", said)
        setattr(constraint, f"on{action}", found[1].upper() if found else None)
    constraint.deferrable = True if re.search(r"(?<!not )deferrable", said) else None
    constraint.initially = "DEFERRED" if "initially deferred" in said else None


def index_from(name: str, sql: str, table: Table) -> Index:
    """From its CREATE INDEX text, expression by expression."""
    tokens = tokens_of(sql)
    opening = next(i for i, token in enumerate(tokens) if token.text == "(")
    end = closing(tokens, opening)
    items = [_expression(spelled(part), table) for part in parts(tokens[opening + 1 : end])]
    where = spelled(tokens[end + 2 :]) if end + 1 < len(tokens) else None
    unique = any(token.word == "UNIQUE" for token in tokens[:2])
    index = Index(name, *items, unique=unique, _table=table)
    if where:
        index.dialect_options["sqlite"]["where"] = text(where)
    return index


def _expression(said: str, table: Table) -> Column[Any] | TextClause:
    plain = said.strip('"')
    return table.columns[plain] if plain in table.columns else text(said)
