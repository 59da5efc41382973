"""Changes → lines for both directions, in an order in which they can be made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

from alembic.operations import ops
from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.sql.ddl import sort_tables_and_constraints
from sqlalchemy.sql.elements import conv

from tilth.runtime.migrate.compare import Change
from tilth.runtime.migrate.shape import ConstraintShape, Shape, TableShape
from tilth.runtime.migrate.writing.render import Renderer

Group = Literal["values", "expand", "concurrent", "backfill", "guard", "validate", "contract"]
GROUPS: tuple[Group, ...] = (
    "values", "expand", "concurrent", "backfill", "guard", "validate", "contract",
)  # fmt: skip


Order = list[tuple[Table | None, list[ForeignKeyConstraint]]]


@dataclass(frozen=True, slots=True)
class Step:
    """Lines of Python for up and down. group: the revision it belongs to. rank: its place there.

    loses: what a person must agree to losing, as "hero.age".
    """

    rank: int
    up: str
    down: str
    group: Group = "expand"
    loses: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """have: the database as its revisions make it. want: as the models are.

    fills: "hero.age" → value for the rows that are there, as SQL.
    """

    have: Shape
    want: Shape
    have_tables: Mapping[str, Table]
    want_tables: Mapping[str, Table]
    dialect: str
    fills: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_postgresql(self) -> bool:
        return self.dialect == "postgresql"


def tables_of(*metadatas: MetaData) -> dict[str, Table]:
    """Checks that stand with a column are those of its table, as every database has them."""
    plain = map(_with_checks_apart, metadatas)
    return {name: table for metadata in plain for name, table in metadata.tables.items()}


def _with_checks_apart(metadata: MetaData) -> MetaData:
    columns = (column for table in metadata.tables.values() for column in table.columns)
    if not any(column.constraints for column in columns):
        return metadata
    copy = MetaData(schema=metadata.schema, naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        plain = table.to_metadata(copy)
        for column in plain.columns:
            for each in [e for e in column.constraints if isinstance(e, CheckConstraint)]:
                column.constraints.discard(each)
                plain.append_constraint(CheckConstraint(each.sqltext, name=each.name))
    return copy


def table_argument(name: str) -> tuple[str, str | None]:
    """ "crm.contact" → ("contact", "crm")."""
    schema, _, plain = name.rpartition(".")
    return plain, schema or None


def placed(name: str) -> str:
    """The end of a call: the schema, if there is one."""
    _, schema = table_argument(name)
    return f", schema={schema!r})" if schema else ")"


def table_steps(changes: list[Change], sides: Sides, render: Renderer) -> Iterator[Step]:
    """New and dropped tables with everything that belongs to them."""
    added = [sides.want_tables[each.name] for each in changes if each.kind == "add table"]
    dropped = [sides.have_tables[each.name] for each in changes if each.kind == "drop table"]
    others = [table for table in sides.want_tables.values() if table not in added]
    known = set(_sequences(others, render))
    new = [each for each in dict.fromkeys(_sequences(added, render)) if each not in known]
    for number, name in enumerate(new):
        up, down = f"CREATE SEQUENCE IF NOT EXISTS {name}", f"DROP SEQUENCE {name}"
        yield Step(number - 500, f"op.execute({up!r})", f"op.execute({down!r})")
    for number, (up, down) in enumerate(_creations(added, sides.want, render)):
        yield Step(30 + number, up, down)
    removals = [(down, up) for up, down in _creations(dropped, sides.have, render)]
    for number, (up, down) in enumerate(reversed(removals)):
        name = next((t.fullname for t in dropped if up.startswith(_drop_call(t))), "")
        yield Step(900_000 + number, up, down, "contract", loses=name)


def _sequences(tables: list[Table], render: Renderer) -> Iterator[str]:
    for table in tables:
        for sequence in filter(None, map(render.sequence, table.columns)):
            yield render.dialect.identifier_preparer.format_sequence(sequence)


def _drop_call(table: Table) -> str:
    return f"op.drop_table({table.name!r}" + (f", schema={table.schema!r}" if table.schema else "")


def _lent(tables: list[Table]) -> Iterator[tuple[Table, Table]]:
    """What a table refers to by a copy in its own metadata, as it does to Tilth's own tables."""
    by_name = {table.fullname: table for table in tables}
    for table in tables:
        for key in table.foreign_keys:
            target = by_name.get(key.column.table.fullname)
            if target is not None and target is not key.column.table and target is not table:
                yield target, table


def _creations(tables: list[Table], shape: Shape, render: Renderer) -> Iterator[tuple[str, str]]:
    """What creates them and what drops them, a table after those it refers to.

    Foreign keys of a circle are added when all of its tables are there.
    """
    order: Order = list(
        sort_tables_and_constraints(tables, extra_dependencies=list(_lent(tables)))  # type: ignore[no-untyped-call]
    )
    circular = {each for table, constraints in order if table is None for each in constraints}
    for table, _ in order:
        if table is None:
            continue
        yield render.create_table(table, circular), f"{_drop_call(table)})"
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            yield render.create_index(index), render.drop_index(index)
    for constraint in sorted(circular, key=lambda each: constraint_name(each, shape)):
        name = constraint_name(constraint, shape)
        yield add_constraint(constraint, name, render), drop_constraint(constraint, name)


def constraint_name(constraint: Constraint, shape: Shape) -> str:
    """Under which the database knows it."""
    table: Table = constraint.table
    found = constraint_shape(constraint, shape.tables[table.fullname])
    if found is not None:
        return found.name
    return str(constraint.name)


def constraint_shape(constraint: Constraint, shape: TableShape) -> ConstraintShape | None:
    by_name = (each for each in shape.constraints if each.name == str(constraint.name))
    found = next(by_name, None)
    if found is not None:
        return found
    # Without a name, or with one that was too long for the database.
    kind = _kind(constraint)
    fits = [each for each in shape.constraints if each.kind == kind]
    if isinstance(constraint, CheckConstraint):
        taken = {str(each.name) for each in constraint.table.constraints}
        said = str(constraint.sqltext)
        free = [each for each in fits if each.name not in taken]
        return max(free, key=lambda each: _alike(said, each.definition), default=None)
    names = {column.name for column in constraint.columns}  # type: ignore[attr-defined]
    return next((each for each in fits if set(each.columns) == names), None)


def _alike(said: str, told: str) -> float:
    """The server tells a rule in words of its own."""
    return SequenceMatcher(None, said.lower(), told.lower()).ratio()


def _kind(constraint: Constraint) -> str:
    kinds: dict[type, str] = {
        ForeignKeyConstraint: "foreign key",
        UniqueConstraint: "unique",
        CheckConstraint: "check",
        PrimaryKeyConstraint: "primary key",
    }
    return next((said for kind, said in kinds.items() if isinstance(constraint, kind)), "exclude")


def add_constraint(constraint: Constraint, name: str, render: Renderer, more: str = "") -> str:
    """more: further arguments, such as postgresql_not_valid=True."""
    table: Table = constraint.table
    end = f"{more}{placed(table.fullname)}"
    if isinstance(constraint, CheckConstraint):
        sql = render.sql(constraint.sqltext)
        return f"op.create_check_constraint({name!r}, {table.name!r}, sa.text({sql!r}){end}"
    if isinstance(constraint, PrimaryKeyConstraint):
        columns = [column.name for column in constraint.columns]
        return f"op.create_primary_key({name!r}, {table.name!r}, {columns!r}{end}"
    if isinstance(constraint, UniqueConstraint):
        columns = [column.name for column in constraint.columns]
        options = _dialect_options(constraint)
        return f"op.create_unique_constraint({name!r}, {table.name!r}, {columns!r}{options}{end}"
    operation = ops.CreateForeignKeyOp.from_constraint(constraint)
    operation.constraint_name = conv(name)
    text = render.operation(operation)
    return f"{text[:-1]}{more})"


def _dialect_options(constraint: Constraint) -> str:
    given = {
        name: value
        for name, value in constraint.dialect_kwargs.items()
        if value is not None and value is not False
    }
    for name in ("deferrable", "initially"):
        if getattr(constraint, name) is not None:
            given[name] = getattr(constraint, name)
    return "".join(f", {name}={value!r}" for name, value in given.items())


_TYPES = {
    "foreign key": "foreignkey",
    "unique": "unique",
    "check": "check",
    "primary key": "primary",
}


def drop_constraint(constraint: Constraint, name: str) -> str:
    table: Table = constraint.table
    return drop_named(table.fullname, name, _kind(constraint))


def drop_named(table: str, name: str, kind: str) -> str:
    plain, _ = table_argument(table)
    return f"op.drop_constraint({name!r}, {plain!r}, type_={_TYPES.get(kind)!r}{placed(table)}"


def index_of(table: Table, name: str) -> Index | None:
    return next((each for each in table.indexes if str(each.name) == name), None)


def constraint_of(table: Table, name: str, shape: Shape) -> Constraint | None:
    """The one that the database knows under a name."""
    for each in table.constraints:
        if constraint_name(each, shape) == name:
            return each
    return None
