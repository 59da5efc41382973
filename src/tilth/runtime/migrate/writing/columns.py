"""Columns that come, go or change → steps; what would lock or scan a table is split up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from alembic.operations import ops
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Table,
    Time,
    Uuid,
    text,
)
from sqlalchemy.schema import DefaultClause

from tilth.runtime.migrate.compare import Change
from tilth.runtime.migrate.postgresql.shape import SERIAL
from tilth.runtime.migrate.shape import ColumnShape, TableShape
from tilth.runtime.migrate.writing.render import Renderer
from tilth.runtime.migrate.writing.steps import (
    Sides,
    Step,
    drop_named,
    placed,
    table_argument,
)

VOLATILE = ("random", "gen_random_uuid", "uuid_generate", "clock_timestamp", "nextval", "timeofday")


def add_column(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    column = _column(sides.want_tables[change.table], change.name)
    drop = _drop_column_text(change)
    shape = sides.want.tables[change.table].column(change.name)
    assert shape is not None
    fill = sides.fills.get(f"{change.table}.{change.name}")
    if fill is not None:
        yield from _filled(change, column, fill, sides, render)
    elif sides.is_postgresql and _is_volatile(shape):
        yield from _defaulted_later(change, column, shape, sides, render)
    else:
        yield Step(400, _add_column_text(change, column, render), drop)


def _add_column_text(change: Change, column: Column[Any], render: Renderer, **changed: Any) -> str:
    plain, _ = table_argument(change.table)
    copy = column._copy()
    copy.unique = copy.index = False
    for name, value in changed.items():
        setattr(copy, name, value)
    return f"op.add_column({plain!r}, {render.column(copy)}{placed(change.table)}"


def _drop_column_text(change: Change) -> str:
    plain, _ = table_argument(change.table)
    return f"op.drop_column({plain!r}, {change.name!r}{placed(change.table)}"


def _is_volatile(shape: ColumnShape) -> bool:
    said = (shape.default or "").lower()
    return any(f"{name}(" in said or said == "serial" for name in VOLATILE)


def _filled(
    change: Change, column: Column[Any], value: str, sides: Sides, render: Renderer
) -> Iterator[Step]:
    """Required, and the rows that are there get a value first."""
    drop = _drop_column_text(change)
    yield Step(400, _add_column_text(change, column, render, nullable=True), drop)
    yield _backfill(change, value, sides)
    yield from _not_null(change, column, sides, render)


def _backfill(change: Change, value: str, sides: Sides) -> Step:
    place = f"{change.table!r}, {change.name!r}, {value!r}"
    if sides.is_postgresql:
        return Step(0, f"backfill({place})", "pass", "backfill")
    return Step(405, f"backfill({place})", "pass")


def _defaulted_later(
    change: Change, column: Column[Any], shape: ColumnShape, sides: Sides, render: Renderer
) -> Iterator[Step]:
    """A default that differs from row to row would rewrite the whole table under its lock."""
    plain, _ = table_argument(change.table)
    bare = _add_column_text(change, column, render, nullable=True, server_default=None)
    yield Step(400, bare, _drop_column_text(change))
    default = render.server_default(column)
    begin = f"op.alter_column({plain!r}, {change.name!r}, server_default="
    end = placed(change.table)
    yield Step(401, f"{begin}{default}{end}", f"{begin}None{end}")
    yield _backfill(change, shape.default or "NULL", sides)
    if not shape.nullable:
        yield from _not_null(change, column, sides, render)


def drop_column(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    column = _column(sides.have_tables[change.table], change.name)
    shape = sides.have.tables[change.table].column(change.name)
    chosen = _choice(change, sides.have.tables[change.table])
    add = _added_back(change, column, shape, chosen, render)
    yield Step(
        800, _drop_column_text(change), add, "contract", loses=f"{change.table}.{change.name}"
    )


def _added_back(
    change: Change,
    column: Column[Any],
    shape: ColumnShape | None,
    chosen: str | None,
    render: Renderer,
) -> str:
    """A required column needs a value in the rows there are, and theirs is gone: one that is empty."""
    given = shape is None or shape.nullable or shape.default or shape.generated or shape.identity
    value = None if given else chosen or empty_value(column)
    if value is None:
        return _add_column_text(change, column, render)
    plain, _ = table_argument(change.table)
    end = placed(change.table)
    add = _add_column_text(change, column, render, server_default=DefaultClause(text(value)))
    existing = f"existing_type={render.type(column.type)}, existing_nullable=False"
    return (
        f"{add}\nop.alter_column({plain!r}, {change.name!r}, server_default=None, {existing}{end}"
    )


def _choice(change: Change, table: TableShape) -> str | None:
    """The first value that a rule of the column lists."""
    for each in table.constraints:
        if each.kind == "check" and each.columns == (change.name,):
            found = re.search(r"\b(?:in \(|ANY \(+ARRAY\[)\s*('(?:[^']|'')*')", each.definition)
            if found:
                return found[1]
    return None


def empty_value(column: Column[Any]) -> str | None:
    """SQL for the value of a type that says least; None for types that have none."""
    type_ = column.type
    if isinstance(type_, Enum) and type_.enums:
        return "'" + type_.enums[0].replace("'", "''") + "'"
    empty: tuple[tuple[type, str], ...] = (
        (Boolean, "false"), (Numeric, "0"), (Float, "0"), (Integer, "0"), (JSON, "'{}'"),
        (Uuid, "'00000000-0000-0000-0000-000000000000'"), (String, "''"), (LargeBinary, "''"),
        (DateTime, "'1970-01-01 00:00:00'"), (Date, "'1970-01-01'"), (Time, "'00:00:00'"),
        (Interval, "'0'"), (ARRAY, "'{}'"),
    )  # fmt: skip
    return next((value for kind, value in empty if isinstance(type_, kind)), None)


def alter_column(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    have = _column(sides.have_tables[change.table], change.name)
    want = _column(sides.want_tables[change.table], change.name)
    if change.parts & {"generated"}:
        yield from _regenerated(change, have, want, render)
        return
    before = sides.have.tables[change.table].column(change.name)
    after = sides.want.tables[change.table].column(change.name)
    assert before is not None
    assert after is not None
    parts = set(change.parts)
    fill = sides.fills.get(f"{change.table}.{change.name}")
    if "nullable" in parts and before.nullable:
        if fill is not None:
            yield _backfill(change, fill, sides)
        yield from _not_null(change, want, sides, render)
        parts.discard("nullable")
    if "default" in parts and SERIAL in (before.default, after.default):
        quote = render.dialect.identifier_preparer.quote
        make, drop = serial_texts(change.table, change.name, quote)
        parts.discard("default")
        yield Step(501, make, drop) if after.default == SERIAL else Step(501, drop, make)
    if parts:
        up = _alter(change.table, have, want, parts, (before, after), sides, render)
        down = _alter(change.table, want, have, parts, (after, before), sides, render)
        yield Step(500, up, down)


def _alter(
    table: str,
    old: Column[Any],
    new: Column[Any],
    parts: set[str],
    shapes: tuple[ColumnShape, ColumnShape],
    sides: Sides,
    render: Renderer,
) -> str:
    plain, schema = table_argument(table)
    is_type = bool(parts & {"type", "collation"})
    lines = []
    options: dict[str, Any] = {"schema": schema, "existing_type": old.type}
    options["existing_nullable"] = old.nullable
    if is_type:
        options["modify_type"] = new.type
    if "nullable" in parts:
        options["modify_nullable"] = new.nullable
    if "comment" in parts:
        options["modify_comment"] = new.comment
        options["existing_comment"] = old.comment
    if parts & {"default", "identity"}:
        options["modify_server_default"] = new.server_default
        options["existing_server_default"] = old.server_default
    casts = is_type and sides.is_postgresql and not _casts(*shapes)
    if casts and shapes[0].default is not None:
        # The old default may not fit the new type.
        lines.append(f"op.alter_column({plain!r}, {old.name!r}, server_default=None{placed(table)}")
        options["modify_server_default"] = new.server_default
    text = render.operation(ops.AlterColumnOp(plain, old.name, **options))
    if "identity" in parts and old.identity is not None:
        # Alembic leaves it out, and would then add a second one.
        existing = f"existing_server_default={render.server_default(old)}"
        text = f"{text[:-1]},\n{' ' * 11}{existing})"
    if casts:
        column = render.dialect.identifier_preparer.quote(str(old.name))
        enums = {*sides.have.enums, *sides.want.enums}
        through = "::text" if any(each.type.strip('"') in enums for each in shapes) else ""
        # Alembic hands it to the driver as it is, and psycopg takes a single % for a parameter.
        using = f"{column}{through}::{shapes[1].type}".replace("%", "%%")
        text = f"{text[:-1]},\n{' ' * 11}postgresql_using={using!r})"
    return "\n".join([*lines, text])


def serial_texts(table: str, column: str, quote: Callable[[str], str]) -> tuple[str, str]:
    """What makes a column count by itself, as SERIAL does, and what ends it."""
    plain, schema = table_argument(table)
    place = ".".join(quote(part) for part in filter(None, (schema, plain)))
    name = f"{plain[:29]}_{column[:29]}_seq"
    sequence = ".".join(quote(part) for part in filter(None, (schema, name)))
    literal = sequence.replace("'", "''")
    make = (
        f"CREATE SEQUENCE {sequence} OWNED BY {place}.{quote(column)}",
        f"SELECT setval('{literal}', (SELECT coalesce(max({quote(column)}), 0) + 1 FROM {place}), false)",
        f"ALTER TABLE {place} ALTER COLUMN {quote(column)} SET DEFAULT nextval('{literal}')",
    )
    drop = (
        f"ALTER TABLE {place} ALTER COLUMN {quote(column)} DROP DEFAULT",
        f"DROP SEQUENCE {sequence}",
    )
    return executes(*make), executes(*drop)


def executes(*statements: str) -> str:
    """A colon would be taken for a parameter."""
    return "\n".join(
        f"op.execute({statement.replace(':', chr(92) + ':')!r})" for statement in statements
    )


def _casts(old: ColumnShape, new: ColumnShape) -> bool:
    """PostgreSQL makes the one of the other without being told how."""
    return _family(old.type) == _family(new.type)


def _family(type_: str) -> str:
    plain = type_.partition("(")[0].strip()
    families = {
        "character varying": "text", "character": "text", "text": "text",
        "smallint": "number", "integer": "number", "bigint": "number", "numeric": "number",
        "real": "number", "double precision": "number",
    }  # fmt: skip
    return families.get(plain, plain)


def _not_null(
    change: Change, column: Column[Any], sides: Sides, render: Renderer
) -> Iterator[Step]:
    """A check that is validated first spares PostgreSQL the scan under the lock."""
    plain, _ = table_argument(change.table)
    begin = f"op.alter_column({plain!r}, {change.name!r}, existing_type={render.type(column.type)}, nullable="
    end = placed(change.table)
    required, optional = f"{begin}False{end}", f"{begin}True{end}"
    # What is about to be part of the key: as long as it is, PostgreSQL lets nobody take it back.
    in_key = change.name in sides.want_tables[change.table].primary_key.columns
    if in_key or not sides.is_postgresql:
        yield Step(410, required, optional)
        return
    name = f"{plain}_{change.name}_required"[:63]
    quoted = render.dialect.identifier_preparer.quote(change.name)
    check = f"op.create_check_constraint({name!r}, {plain!r}, {f'{quoted} IS NOT NULL'!r}, postgresql_not_valid=True{end}"
    drop = drop_named(change.table, name, "check")
    yield Step(0, check, drop, "guard")
    # All of them are validated before the first is set, whose lock is the one nobody likes.
    yield Step(0, validate_text(change.table, name, render), "pass", "validate")
    yield Step(10, "\n".join((required, drop)), "\n".join((optional, check)), "validate")


def validate_text(table: str, name: str, render: Renderer) -> str:
    quote = render.dialect.identifier_preparer
    plain, schema = table_argument(table)
    place = quote.quote(plain) if schema is None else f"{quote.quote(schema)}.{quote.quote(plain)}"
    return executes(f"ALTER TABLE {place} VALIDATE CONSTRAINT {quote.quote(name)}")


def _regenerated(
    change: Change, have: Column[Any], want: Column[Any], render: Renderer
) -> Iterator[Step]:
    """A generated column is computed anew; nothing in it was written by anyone."""
    drop = _drop_column_text(change)
    up = "\n".join((drop, _add_column_text(change, want, render)))
    down = "\n".join((drop, _add_column_text(change, have, render)))
    loses = "" if have.computed is not None else f"{change.table}.{change.name}"
    yield Step(500, up, down, loses=loses)


def _column(table: Table, name: str) -> Column[Any]:
    return next(each for each in table.columns if each.name == name)
