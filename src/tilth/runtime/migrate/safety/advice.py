"""What will be regretted later, or breaks the code that runs now: told, never refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic.operations import ops
from sqlalchemy import CHAR, JSON, Column, DateTime, Double, Float, Integer, inspect
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.types import BigInteger, SmallInteger, TypeEngine

from tilth.kernel.store.reflect import OWN_TABLES
from tilth.runtime.migrate.safety.risks import Looked, Risk, dotted

NAME_BYTES = 63
INDEX_COLUMNS = 3
MONEY = ("price", "amount", "total", "balance", "cost", "fee", "salary")


def renaming(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if isinstance(operation, ops.RenameTableOp):
        yield Risk(
            "rename_table",
            dotted(operation.table_name, operation.schema),
            "code that runs now does not know the new name.",
            "Stop it first, or leave a view under the old name until it is gone.",
            "warning",
        )
    elif isinstance(operation, ops.AlterColumnOp) and operation.modify_name is not None:
        yield Risk(
            "rename_column",
            dotted(operation.table_name, operation.schema, operation.column_name),
            "code that runs now does not know the new name.",
            "Stop it first, or add a column, keep both, and drop the old one later.",
            "warning",
        )


def long_names(looked: Looked) -> Iterator[Risk]:
    for attribute in ("index_name", "constraint_name", "table_name", "modify_name"):
        name = getattr(looked.operation, attribute, None)
        if isinstance(name, str) and len(name.encode()) > NAME_BYTES and looked.rows.is_postgresql:
            yield Risk(
                "long_name",
                name,
                f"has more than {NAME_BYTES} bytes, and PostgreSQL would cut it off.",
                "Give it a shorter name.",
            )


def types(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if isinstance(operation, ops.AddColumnOp):
        columns, table = [operation.column], operation.table_name
    elif isinstance(operation, ops.CreateTableOp):
        columns = [each for each in operation.columns if isinstance(each, Column)]
        table = operation.table_name
    else:
        return
    # Tilth's own hold documents as they were told, in json: nothing in them is compared or indexed.
    if looked.rows.is_postgresql and not table.startswith(OWN_TABLES):
        for column in columns:
            said = _regret(column.type, column)
            if said is not None:
                yield Risk("type", dotted(table, None, column.name), *said, "warning")


def _regret(type_: TypeEngine[Any], column: Column[Any]) -> tuple[str, str] | None:
    if isinstance(type_, JSON) and not isinstance(type_, JSONB):
        return "json can be neither compared nor indexed.", "Use JSONB on PostgreSQL."
    if isinstance(type_, CHAR):
        return "char(n) is padded with spaces.", "Use String or Text."
    if isinstance(type_, DateTime | TIMESTAMP) and not type_.timezone:
        return "without a time zone nobody knows which instant it is.", "DateTime(timezone=True)."
    if isinstance(type_, Float | Double) and any(word in column.name.lower() for word in MONEY):
        return "money in binary fractions does not add up.", "Use Numeric."
    small = isinstance(type_, Integer) and not isinstance(type_, BigInteger)
    if column.primary_key and isinstance(type_, SmallInteger) and small:
        return "a key of two bytes ends at 32,767.", "Use BigInteger."
    return None


def indexes(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateIndexOp):
        return
    table, schema = str(operation.table_name), operation.schema
    names = [each for each in operation.columns if isinstance(each, str)]
    plain = len(names) == len(operation.columns) and not any(
        name.endswith("_where") for name in operation.kw
    )
    if len(operation.columns) > INDEX_COLUMNS and not operation.unique:
        yield Risk(
            "wide_index",
            str(operation.index_name),
            f"has {len(operation.columns)} columns; the last ones rarely help and every write pays.",
            "Index the columns that narrow down most.",
            "warning",
        )
    if plain and not operation.unique and looked.rows.has(table, schema):
        for name, others in looked.rows.indexes(table, schema):
            if others[: len(names)] == names and name != operation.index_name:
                yield Risk(
                    "same_index",
                    str(operation.index_name),
                    f"{name} begins with the same columns and answers the same queries.",
                    "Leave it out.",
                    "warning",
                )
                return


def foreign_keys(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateForeignKeyOp):
        return
    table, schema = operation.source_table, operation.kw.get("source_schema")
    rows = looked.rows
    if not rows.has(table, schema, operation.local_cols):
        return
    inspector = inspect(rows.connection)
    wanted = list(operation.local_cols)
    found = [names for _, names in rows.indexes(table, schema)]
    found.append(list(inspector.get_pk_constraint(table, schema)["constrained_columns"]))
    if not any(names[: len(wanted)] == wanted for names in found):
        yield Risk(
            "unindexed_key",
            dotted(table, schema, ", ".join(wanted)),
            f"has no index, so every deletion in {operation.referent_table} reads the whole table.",
            "Give the column index=True.",
            "warning",
        )
    yield from _key_types(operation, looked)


def _key_types(operation: ops.CreateForeignKeyOp, looked: Looked) -> Iterator[Risk]:
    sides = (
        (operation.source_table, operation.kw.get("source_schema"), operation.local_cols),
        (operation.referent_table, operation.kw.get("referent_schema"), operation.remote_cols),
    )
    types: list[list[str]] = []
    inspector = inspect(looked.rows.connection)
    for table, schema, names in sides:
        if not looked.rows.has(table, schema, names):
            return
        known = {each["name"]: str(each["type"]) for each in inspector.get_columns(table, schema)}
        types.append([known[name].partition("(")[0] for name in names])
    if types[0] != types[1]:
        yield Risk(
            "key_types",
            dotted(operation.source_table, None, ", ".join(operation.local_cols)),
            f"is {', '.join(types[0])}, and what it refers to is {', '.join(types[1])}.",
            "Give both the same type.",
            "warning",
        )


CHECKS = (renaming, long_names, types, indexes, foreign_keys)
