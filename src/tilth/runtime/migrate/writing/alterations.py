"""Changes within a table that is there → steps; what would lock or scan it is split up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    Table,
)

from tilth.runtime.migrate.compare import Change
from tilth.runtime.migrate.writing.columns import (
    add_column,
    alter_column,
    drop_column,
    executes,
    validate_text,
)
from tilth.runtime.migrate.writing.render import Renderer
from tilth.runtime.migrate.writing.steps import (
    Sides,
    Step,
    add_constraint,
    constraint_of,
    drop_constraint,
    index_of,
    placed,
    table_argument,
)


def alteration(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    """Of one change. Tables that are added or dropped are not among them."""
    kinds = {
        "add column": add_column,
        "drop column": drop_column,
        "alter column": alter_column,
        "add constraint": _add_constraint,
        "drop constraint": _drop_constraint,
        "rename constraint": _rename_constraint,
        "add index": _add_index,
        "drop index": _drop_index,
        "rename index": _rename_index,
        "table comment": _table_comment,
        "table options": _table_options,
    }
    yield from kinds[change.kind](change, sides, render)


def _tables(change: Change, sides: Sides) -> tuple[Table, Table]:
    return sides.have_tables[change.table], sides.want_tables[change.table]


def _add_constraint(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    constraint = constraint_of(sides.want_tables[change.table], change.name, sides.want)
    if constraint is None:
        return
    drop = drop_constraint(constraint, change.name)
    if not sides.is_postgresql:
        yield Step(_rank(constraint), add_constraint(constraint, change.name, render), drop)
    elif isinstance(constraint, CheckConstraint | ForeignKeyConstraint):
        more = ", postgresql_not_valid=True"
        up = add_constraint(constraint, change.name, render, more)
        yield Step(_rank(constraint), up, drop, "guard")
        yield Step(1, validate_text(change.table, change.name, render), "pass", "validate")
    else:
        yield Step(_rank(constraint), add_constraint(constraint, change.name, render), drop)


def _rank(constraint: Constraint) -> int:
    """What a foreign key refers to must be unique before it."""
    return 720 if isinstance(constraint, ForeignKeyConstraint) else 700


def _drop_constraint(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    constraint = constraint_of(sides.have_tables[change.table], change.name, sides.have)
    if constraint is None:
        return
    down = add_constraint(constraint, change.name, render)
    rank = 10 if isinstance(constraint, ForeignKeyConstraint) else 20
    yield Step(rank, drop_constraint(constraint, change.name), down)


def _rename_constraint(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    names = {each.name for each in sides.have.tables[change.table].constraints}
    if not sides.is_postgresql or change.new in names:
        yield from _drop_constraint(replace(change, name=change.old), sides, render)
        yield from _add_constraint(change, sides, render)
        return
    quote = render.dialect.identifier_preparer.quote
    table = ".".join(quote(part) for part in change.table.split("."))

    def text(old: str, new: str) -> str:
        return executes(f"ALTER TABLE {table} RENAME CONSTRAINT {quote(old)} TO {quote(new)}")

    yield Step(5, text(change.old, change.new), text(change.new, change.old))


def _add_index(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    index = index_of(sides.want_tables[change.table], change.name)
    if index is None:
        return
    if sides.is_postgresql:
        calm = {"postgresql_concurrently": True}
        yield Step(
            0, render.create_index(index, **calm), render.drop_index(index, **calm), "concurrent"
        )
    else:
        yield Step(730, render.create_index(index), render.drop_index(index))


def _drop_index(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    index = index_of(sides.have_tables[change.table], change.name)
    if index is None:
        return
    replaced = any(each.name == change.name for each in sides.want.tables[change.table].indexes)
    if sides.is_postgresql and not replaced:
        calm = {"postgresql_concurrently": True}
        yield Step(
            1, render.drop_index(index, **calm), render.create_index(index, **calm), "concurrent"
        )
    else:
        yield Step(25, render.drop_index(index), render.create_index(index))


def _rename_index(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    names = {each.name for table in sides.have.tables.values() for each in table.indexes}
    if not sides.is_postgresql or change.new in names:
        yield from _drop_index(replace(change, name=change.old), sides, render)
        yield from _add_index(change, sides, render)
        return
    quote = render.dialect.identifier_preparer.quote
    _, schema = table_argument(change.table)
    place = f"{quote(schema)}." if schema else ""

    def text(old: str, new: str) -> str:
        return executes(f"ALTER INDEX {place}{quote(old)} RENAME TO {quote(new)}")

    yield Step(5, text(change.old, change.new), text(change.new, change.old))


def _table_comment(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    have, want = _tables(change, sides)
    plain, _ = table_argument(change.table)
    texts = [
        f"op.create_table_comment({plain!r}, {new.comment!r}, existing_comment={old.comment!r}{placed(change.table)}"
        if new.comment is not None
        else f"op.drop_table_comment({plain!r}, existing_comment={old.comment!r}{placed(change.table)}"
        for old, new in ((have, want), (want, have))
    ]
    yield Step(600, texts[0], texts[1])


def _table_options(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    plain, _ = table_argument(change.table)
    yield Step(
        600,
        f"set_table_options({plain!r}, {change.new!r}{placed(change.table)}",
        f"set_table_options({plain!r}, {change.old!r}{placed(change.table)}",
    )
