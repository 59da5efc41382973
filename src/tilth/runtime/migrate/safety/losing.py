"""Operations that lose values, or fail for the rows that are there: counted before they are made."""

from __future__ import annotations

from collections.abc import Iterator

from alembic.operations import ops
from sqlalchemy import BigInteger, Column, Integer, Numeric, SmallInteger, String, inspect
from sqlalchemy.schema import CheckConstraint, DefaultClause
from sqlalchemy.types import TypeEngine

from tilth.runtime.migrate.safety.risks import Looked, Risk, dotted
from tilth.runtime.migrate.safety.rows import told


def drop_column(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.DropColumnOp):
        return
    table, schema, name = operation.table_name, operation.schema, operation.column_name
    if looked.is_new(table, schema) or not looked.rows.has(table, schema, [name]):
        return
    if _is_generated(looked, table, schema, name):
        return
    filled = looked.rows.count(table, schema, f"{looked.rows.column(name)} IS NOT NULL")
    if filled:
        yield Risk(
            "drop_column",
            dotted(table, schema, name),
            f"has {told(filled, 'value')}, which would be lost, and code that runs now reads it.",
            "Deploy code that does not name it first, and keep a copy of what may be needed.",
        )


def _is_generated(looked: Looked, table: str, schema: str | None, name: str) -> bool:
    columns = inspect(looked.rows.connection).get_columns(table, schema)
    return any(each["name"] == name and each.get("computed") for each in columns)


def drop_table(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.DropTableOp):
        return
    table, schema = operation.table_name, operation.schema
    count = 0 if looked.is_new(table, schema) else looked.rows.count(table, schema)
    if count:
        yield Risk(
            "drop_table",
            dotted(table, schema),
            f"has {told(count, 'row')}, which would be lost.",
            "Make sure that nothing uses it, and keep a copy.",
        )


def required_column(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.AddColumnOp):
        return
    column, table, schema = operation.column, operation.table_name, operation.schema
    given = column.server_default or column.computed or column.identity
    if column.nullable or given is not None or looked.is_new(table, schema):
        return
    count = looked.rows.count(table, schema)
    if count:
        yield Risk(
            "required_column",
            dotted(table, schema, column.name),
            f"is required, has no default, and the table has {told(count, 'row')}.",
            "Add it nullable, backfill() it, then make it required: tilth migrate new --fill does.",
        )


def not_null(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.AlterColumnOp) or operation.modify_nullable is not False:
        return
    table, schema, name = operation.table_name, operation.schema, operation.column_name
    if not looked.rows.has(table, schema, [name]):
        return
    empty = looked.rows.count(table, schema, f"{looked.rows.column(name)} IS NULL")
    if empty:
        yield Risk(
            "null_values",
            dotted(table, schema, name),
            f"is NULL in {told(empty, 'row')}, so it cannot become required.",
            "Give them a value first: backfill() in a revision before this one.",
        )


def narrowing(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
        return
    table, schema, name = operation.table_name, operation.schema, operation.column_name
    type_ = operation.modify_type
    if not looked.rows.has(table, schema, [name]):
        return
    unfitting = _unfitting(looked, looked.rows.column(name), type_)
    if unfitting is None:
        return
    place = looked.rows.place(table, schema)
    count = looked.rows.ask(f"SELECT count(*) FROM {place} WHERE {unfitting}")
    if count:
        yield Risk(
            "narrowing",
            dotted(table, schema, name),
            f"has {told(count, 'value')} that do not fit the new type.",
            "Shorten them first, or keep the wider type.",
        )


def _unfitting(looked: Looked, column: str, type_: TypeEngine[object]) -> str | None:
    """The condition for values that the type does not hold. None: it holds all, or SQLite takes all."""
    is_postgresql = looked.rows.is_postgresql
    if isinstance(type_, String) and type_.length:
        said = f"CAST({column} AS text)" if is_postgresql else column
        return f"length({said}) > {int(type_.length)}"
    if isinstance(type_, Numeric) and type_.precision and is_postgresql:
        scale = int(type_.scale or 0)
        # PostgreSQL rounds first: 9.99 becomes 10.0, which numeric(2, 1) does not hold.
        rounded = f"round(CAST({column} AS numeric), {scale})"
        return f"abs({rounded}) >= power(10::numeric, {int(type_.precision) - scale})"
    if isinstance(type_, Integer) and not isinstance(type_, BigInteger) and is_postgresql:
        limit = 2 ** (15 if isinstance(type_, SmallInteger) else 31)
        return f"CAST({column} AS numeric) NOT BETWEEN {-limit} AND {limit - 1}"
    return None


def duplicates(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if isinstance(operation, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp):
        columns = [str(getattr(each, "name", each)) for each in operation.columns]
    elif isinstance(operation, ops.CreateIndexOp) and operation.unique:
        columns = [each for each in operation.columns if isinstance(each, str)]
        if len(columns) != len(operation.columns) or _is_partial(operation):
            return
    else:
        return
    table, schema = str(operation.table_name), operation.schema
    if not looked.rows.has(table, schema, columns):
        return
    names = ", ".join(map(looked.rows.column, columns))
    where = " AND ".join(f"{looked.rows.column(each)} IS NOT NULL" for each in columns)
    inner = (
        f"SELECT 1 FROM {looked.rows.place(table, schema)} WHERE {where}"
        f" GROUP BY {names} HAVING count(*) > 1 LIMIT 10001"
    )
    count = looked.rows.value(f"SELECT count(*) FROM ({inner}) AS repeated")
    if count:
        yield Risk(
            "duplicates",
            dotted(table, schema, ", ".join(columns)),
            f"is to be unique, and {told(count, 'value')} occur more than once.",
            "Merge or change those rows first.",
        )


def _is_partial(operation: ops.CreateIndexOp) -> bool:
    return any(
        name.endswith("_where") and value is not None for name, value in operation.kw.items()
    )


def orphans(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateForeignKeyOp):
        return
    table, schema = operation.source_table, operation.kw.get("source_schema")
    target, place = operation.referent_table, operation.kw.get("referent_schema")
    rows = looked.rows
    if not (rows.has(table, schema, operation.local_cols) and rows.has(target, place)):
        return
    pairs = list(zip(operation.local_cols, operation.remote_cols, strict=True))
    join = " AND ".join(
        f"b.{rows.column(theirs)} = a.{rows.column(ours)}" for ours, theirs in pairs
    )
    filled = " AND ".join(f"a.{rows.column(ours)} IS NOT NULL" for ours, _ in pairs)
    inner = (
        f"SELECT 1 FROM {rows.place(table, schema)} a WHERE {filled}"
        f" AND NOT EXISTS (SELECT 1 FROM {rows.place(target, place)} b WHERE {join}) LIMIT 10001"
    )
    count = rows.ask(f"SELECT count(*) FROM ({inner}) AS lost")
    if count:
        yield Risk(
            "orphans",
            dotted(table, schema, ", ".join(operation.local_cols)),
            f"refers to rows of {dotted(target, place)} that are not there, in {told(count, 'row')}.",
            "Set them to NULL, point them elsewhere or delete them first.",
        )


def violations(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.CreateCheckConstraintOp):
        return
    table, schema = str(operation.table_name), operation.schema
    if not looked.rows.has(table, schema):
        return
    condition = condition_text(operation, looked)
    place = looked.rows.place(table, schema)
    count = looked.rows.ask(
        f"SELECT count(*) FROM (SELECT 1 FROM {place} WHERE NOT ({condition}) LIMIT 10001) AS bad"
    )
    if count:
        yield Risk(
            "violations",
            dotted(table, schema, str(operation.constraint_name)),
            f"does not hold for {told(count, 'row')}.",
            "Correct those rows first, or weaken the rule.",
        )


def condition_text(operation: ops.CreateCheckConstraintOp, looked: Looked) -> str:
    condition = operation.condition
    if isinstance(condition, str):
        return condition
    made = CheckConstraint(condition).sqltext
    dialect = looked.rows.connection.dialect
    compiled = made.compile(
        dialect=dialect, compile_kwargs={"literal_binds": True, "include_table": False}
    )
    return str(compiled).replace("%%", "%")


def is_volatile(column: Column[object]) -> bool:
    default = column.server_default
    if not isinstance(default, DefaultClause):
        return False
    said = str(default.arg).lower()
    names = ("random", "gen_random_uuid", "uuid_generate", "clock_timestamp", "nextval", "uuidv")
    return any(f"{name}" in said for name in names)


CHECKS = (
    drop_column, drop_table, required_column, not_null, narrowing, duplicates, orphans, violations,
)  # fmt: skip
