"""Operations that lock out others of PostgreSQL for longer than a moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic.ddl.postgresql import CreateExcludeConstraintOp
from alembic.operations import ops
from sqlalchemy import inspect, text
from sqlalchemy.types import CHAR, VARCHAR, Numeric, String, TypeEngine

from tilth.runtime.migrate.codes import RiskCode
from tilth.runtime.migrate.safety.losing import is_volatile
from tilth.runtime.migrate.safety.risks import Looked, Risk, dotted

_CHECKED = text(
    "SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass(:place) AND contype = 'c'"
    " AND convalidated AND strpos(pg_get_constraintdef(oid), :said) > 0"
)


def index_locks(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateIndexOp) or _is_calm(operation):
        return
    table, schema = str(operation.table_name), operation.schema
    if looked.is_hot(table, schema):
        yield Risk(
            "index_locks",
            dotted(table, schema),
            f"{operation.index_name} would hold up every writer while it is built.",
            "In a revision of its own: with op.get_context().autocommit_block(): "
            "op.create_index(…, postgresql_concurrently=True, if_not_exists=True)",
        )


def _is_calm(operation: ops.CreateIndexOp | ops.DropIndexOp) -> bool:
    return bool(operation.kw.get("postgresql_concurrently"))


def drop_index_locks(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.DropIndexOp) or _is_calm(operation):
        return
    table = operation.table_name
    if table and looked.is_hot(str(table), operation.schema):
        yield Risk(
            "drop_index_locks",
            dotted(str(table), operation.schema),
            f"dropping {operation.index_name} waits for every query and holds up those behind it.",
            "In a revision of its own, with postgresql_concurrently=True.",
            "warning",
        )


def concurrent_in_transaction(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateIndexOp | ops.DropIndexOp) or not _is_calm(operation):
        return
    if looked.rows.is_postgresql and not looked.is_alone:
        yield Risk(
            "concurrent_in_transaction",
            str(operation.index_name),
            "PostgreSQL does nothing CONCURRENTLY inside a transaction.",
            "Put it below: with op.get_context().autocommit_block():",
        )


def rewriting(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
        return
    table, schema, name = operation.table_name, operation.schema, operation.column_name
    if not looked.is_hot(table, schema):
        return
    columns = inspect(looked.rows.connection).get_columns(table, schema)
    old = next((each["type"] for each in columns if each["name"] == name), None)
    if old is not None and rewrites(old, operation.modify_type):
        yield Risk(
            "type_rewrite",
            dotted(table, schema, name),
            f"{old} → {operation.modify_type} writes the whole table anew, and nobody can read it meanwhile.",
            "Add a column of the new type, backfill() it, read it, then drop the old one.",
        )


def rewrites(old: TypeEngine[Any], new: TypeEngine[Any]) -> bool:
    """False where PostgreSQL only changes its catalogue (measured on 15 to 18)."""
    if isinstance(old, String) and isinstance(new, String):
        if isinstance(old, CHAR) or isinstance(new, CHAR):
            return True
        limit = getattr(new, "length", None) if isinstance(new, VARCHAR | String) else None
        return limit is not None and (old.length is None or limit < old.length)
    if isinstance(old, Numeric) and isinstance(new, Numeric) and type(old) is type(new):
        if new.precision is None:
            return False
        return old.scale != new.scale or (old.precision or 10_000) > new.precision
    return str(old) != str(new)


def rewriting_column(looked: Looked) -> Iterator[Risk]:
    """Defaults that differ from row to row, stored expressions, numbers that count."""
    operation = looked.operation
    if not isinstance(operation, ops.AddColumnOp):
        return
    table, schema, column = operation.table_name, operation.schema, operation.column
    if not looked.is_hot(table, schema):
        return
    place = dotted(table, schema, column.name)
    if column.computed is not None and column.computed.persisted is not False:
        yield Risk(
            "stored_column",
            place,
            "is stored, so the whole table is written anew, and nobody can read it meanwhile.",
            "Make it virtual (PostgreSQL 18), or a plain column that backfill() and a trigger keep.",
        )
    elif column.identity is not None or column.autoincrement is True:
        yield Risk(
            "counting_column",
            place,
            "counts by itself, so the whole table is written anew.",
            "Add a plain column, backfill() it, then give it a sequence.",
        )
    elif is_volatile(column):
        yield Risk(
            "volatile_default",
            place,
            "has a default that differs from row to row, so the whole table is written anew.",
            "Add it bare, set the default, then backfill(): tilth migrate new does.",
        )


def validating(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    code: RiskCode
    if isinstance(operation, ops.CreateForeignKeyOp):
        table, schema = operation.source_table, operation.kw.get("source_schema")
        code, what = "foreign_key_scan", "writers of both tables wait"
    elif isinstance(operation, ops.CreateCheckConstraintOp):
        table, schema = str(operation.table_name), operation.schema
        code, what = "check_scan", "everybody waits"
    else:
        return
    if not operation.kw.get("postgresql_not_valid") and looked.is_hot(table, schema):
        yield Risk(
            code,
            dotted(table, schema, str(operation.constraint_name)),
            f"all rows are looked at under a lock for which {what}.",
            "Add it with postgresql_not_valid=True, and VALIDATE CONSTRAINT in the next revision.",
        )


def not_null_scan(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.AlterColumnOp) or operation.modify_nullable is not False:
        return
    table, schema, name = operation.table_name, operation.schema, operation.column_name
    if ((table, schema), name) in looked.sofar.filled or not looked.is_hot(table, schema):
        return
    said = f"({looked.rows.column(name)} IS NOT NULL)"
    asked = {"place": looked.rows.place(table, schema), "said": said}
    if not looked.rows.connection.execute(_CHECKED, asked).scalar():
        yield Risk(
            "not_null_scan",
            dotted(table, schema, name),
            "all rows are looked at while nobody can read the table.",
            f"First a check {said} with postgresql_not_valid=True, then VALIDATE it, then this.",
        )


def unique_locks(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp):
        return
    table, schema = str(operation.table_name), operation.schema
    if looked.is_hot(table, schema):
        is_key = isinstance(operation, ops.CreatePrimaryKeyOp)
        yield Risk(
            "primary_key_locks" if is_key else "unique_locks",
            dotted(table, schema, str(operation.constraint_name)),
            "its index is built while nobody can read the table.",
            "Build a unique index concurrently, then ALTER TABLE … ADD CONSTRAINT … USING INDEX.",
        )


def exclusion_locks(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, CreateExcludeConstraintOp):
        return
    table, schema = str(operation.table_name), operation.kw.get("schema")
    if looked.is_hot(table, schema):
        yield Risk(
            "exclusion_locks",
            dotted(table, schema, str(operation.constraint_name)),
            "its index is built while nobody can read the table, and there is no calmer way.",
            "Make a new table with it and copy the rows, or do it when nobody works.",
        )


EXCLUSIVE = (
    ops.AlterColumnOp, ops.DropColumnOp, ops.AddColumnOp, ops.DropConstraintOp,
    ops.RenameTableOp, ops.DropTableOp, ops.AddConstraintOp,
)  # fmt: skip


def after_lock(looked: Looked) -> Iterator[Risk]:
    """Another hot table while one is locked: everybody waits for both, and two may wait for each other."""
    target = table_of(looked.operation)
    held = looked.sofar.held
    if target is None or target in held or not held or not isinstance(looked.operation, EXCLUSIVE):
        return
    if looked.is_hot(*target):
        first = next(iter(held))
        yield Risk(
            "several_locks",
            dotted(*target),
            f"is locked while {dotted(*first)} still is, until the revision ends.",
            "One table in each revision.",
            "warning",
        )


def table_of(operation: Any) -> tuple[str, str | None] | None:
    name = getattr(operation, "table_name", None) or getattr(operation, "source_table", None)
    schema = getattr(operation, "schema", None)
    return (str(name), schema) if name else None


CHECKS = (
    index_locks, drop_index_locks, concurrent_in_transaction, rewriting, rewriting_column,
    validating, not_null_scan, unique_locks, exclusion_locks, after_lock,
)  # fmt: skip
