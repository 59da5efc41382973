"""Random models on both databases: written, made with rows, found equal, undone without a trace.

    .venv/bin/python bench/random_schemas.py --count 150 --postgresql URL

Each schema has tables with odd names, composite keys, references in circles and to themselves. It is
then changed at random, which is written, made and undone as well. Exit code 1 when one fails.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Constraint,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    column,
    func,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError
from sqlalchemy.types import TypeEngine

from tilth.errors import Finding
from tilth.runtime.migrate.compare import changes_between
from tilth.runtime.migrate.databases import migration_engine, shape_of, shape_of_models
from tilth.runtime.migrate.history import read_history
from tilth.runtime.migrate.project import Project, Wanted, project_from
from tilth.runtime.migrate.run import Run, make_steps, steps_down, steps_up
from tilth.runtime.migrate.safety.guard import Guard
from tilth.runtime.migrate.shape import Shape
from tilth.runtime.migrate.trying.sample_rows import clear_tables, contents, fill_tables
from tilth.runtime.migrate.writing.files import drafts, write
from tilth.runtime.migrate.writing.find import Answers, find
from tilth.settings import MigrateSettings

NAMES = (
    "user", "order", "select", "two words", "CamelCase", 'quo"te', "Größe", "группа", "it's",
    "per%cent", "co:lon", "back\\slash", "x" * 50, "table", "group", "a", "_lead", "1st", "née",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """kind: a row of KINDS. rule: a number that its check, if it has one, is made with."""

    name: str
    kind: int
    nullable: bool = True
    default: bool = False
    rule: int | None = None
    unique: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """keys: how many columns the primary key has. targets: other models, by number."""

    name: str
    fields: tuple[Field, ...]
    keys: int
    targets: tuple[int, ...]
    indexes: tuple[tuple[int, ...], ...] = ()
    expression: bool = False
    partial: bool = False
    computed: int | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    models: tuple[Model, ...]
    convention: bool


def kinds(number: str) -> tuple[TypeEngine[Any], ...]:
    """number: of the model and field, so that named types are not shared."""
    values = ("red", "green", "blue's")
    return (
        Integer(), BigInteger(), String(20), String(40), Text(), Boolean(), Date(),
        DateTime(timezone=True), Numeric(10, 2), Numeric(12, 4), Float(), LargeBinary(), JSON(),
        Uuid(), Enum(*values, name=f"kind_{number}", create_constraint=True),
        Enum(*values, name=f"plain_{number}", native_enum=False, length=20),
    )  # fmt: skip


KINDS = 16
NUMBERS = (0, 1, 8, 9)
TEXTS = (2, 3, 4)


def random_schema(dice: random.Random) -> Schema:
    count = dice.randint(1, 6)
    names = dice.sample(NAMES, count)
    return Schema(
        tuple(_random_model(dice, name, count) for name in names), convention=dice.random() < 0.5
    )


def _random_model(dice: random.Random, name: str, count: int) -> Model:
    names = dice.sample(NAMES, dice.randint(1, 7))
    fields = tuple(_random_field(dice, each) for each in names)
    indexes = tuple(
        tuple(sorted(dice.sample(range(len(fields)), min(len(fields), dice.randint(1, 3)))))
        for _ in range(dice.randint(0, 2))
    )
    return Model(
        name,
        fields,
        dice.randint(1, 3),
        tuple(dice.randrange(count) for _ in range(dice.randint(0, 2))),
        tuple(dict.fromkeys(indexes)),
        expression=dice.random() < 0.3,
        partial=dice.random() < 0.3,
        computed=dice.randint(2, 9) if dice.random() < 0.3 else None,
    )


def _random_field(dice: random.Random, name: str) -> Field:
    kind = dice.randrange(KINDS)
    is_unique = kind in (*NUMBERS, *TEXTS) and dice.random() < 0.2
    return Field(
        name,
        kind,
        nullable=is_unique or dice.random() < 0.6,
        default=not is_unique and dice.random() < 0.3,
        rule=dice.randint(-50, -1) if dice.random() < 0.3 else None,
        unique=is_unique,
        comment="what it's 100% for" if dice.random() < 0.2 else None,
    )


def changed(schema: Schema, dice: random.Random) -> Schema:
    """Some columns come, some go, some are otherwise."""
    models = []
    for model in schema.models:
        fields = [_changed_field(each, dice) for each in model.fields if dice.random() < 0.85]
        taken = {each.name for each in model.fields}
        for name in dice.sample(NAMES, 2):
            if name not in taken:
                fields.append(replace(_random_field(dice, name), nullable=True, unique=False))
        fields = fields or [Field("left", 0)]
        indexes = tuple(i for i in model.indexes if max(i) < len(fields) and dice.random() < 0.7)
        targets = model.targets if dice.random() < 0.7 else model.targets[1:]
        computed = dice.randint(2, 9) if model.computed else None
        models.append(
            replace(
                model, fields=tuple(fields), indexes=indexes, targets=targets, computed=computed
            )
        )
    return replace(schema, models=tuple(models))


def _changed_field(field: Field, dice: random.Random) -> Field:
    if dice.random() < 0.6:
        return field
    wider = {2: 3, 0: 1, 8: 9}.get(field.kind, field.kind)
    return replace(
        field,
        kind=wider,
        nullable=True if field.unique or field.nullable else dice.random() < 0.5,
        default=not field.unique and dice.random() < 0.5,
        # Rows that fitted the old rule fit the new one.
        rule=(field.rule or 0) - dice.randint(1, 9) if dice.random() < 0.5 else None,
        comment=None,
    )


CONVENTION = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def metadata_of(schema: Schema) -> MetaData:
    metadata = MetaData(naming_convention=CONVENTION) if schema.convention else MetaData()
    for number, model in enumerate(schema.models):
        _table(metadata, schema, model, number)
    return metadata


def _table(metadata: MetaData, schema: Schema, model: Model, number: int) -> Table:
    keys = [_key(each) for each in range(model.keys)]
    parts: list[Column[Any]] = [
        Column(key, Integer, primary_key=True, autoincrement=model.keys == 1) for key in keys
    ]
    parts += [_column(field, f"{number}_{i}") for i, field in enumerate(model.fields)]
    if model.computed is not None:
        expression = Computed(f"{keys[0]} * {model.computed}", persisted=True)
        parts.append(Column("computed_one", Integer, expression))
    constraints: list[Constraint] = list(_rules(model, number))
    for place, target in enumerate(model.targets):
        other = schema.models[target]
        local = [f"ref_{place}_{each}" for each in range(other.keys)]
        parts += [Column(name, Integer) for name in local]
        constraints.append(
            ForeignKeyConstraint(
                local,
                [f"{other.name}.{_key(each)}" for each in range(other.keys)],
                ondelete=("CASCADE", "SET NULL")[place],
                name=f"fk_{number}_{place}" if not schema.convention else None,
                use_alter=False,
            )
        )
    table = Table(model.name, metadata, *parts, *constraints)
    _add_indexes(table, model, number)
    return table


def _key(number: int) -> str:
    return ("id", "key two", "third")[number]


def _column(field: Field, number: str) -> Column[Any]:
    default: Any = None
    if field.default and field.kind in TEXTS:
        default = "it's 1:2 50%"[:20]
    elif field.default and field.kind in NUMBERS:
        default = text("7")
    elif field.default and field.kind == 7:
        default = func.now()
    return Column(
        f"c {field.name}",
        kinds(number)[field.kind],
        nullable=field.nullable,
        server_default=default,
        comment=field.comment,
    )


def _rules(model: Model, number: int) -> Iterator[CheckConstraint | UniqueConstraint]:
    for place, field in enumerate(model.fields):
        name = f"c {field.name}"
        if field.rule is not None and field.kind in NUMBERS:
            yield CheckConstraint(column(name) > field.rule, name=f"rule_{number}_{place}")
        elif field.rule is not None and field.kind in TEXTS:
            yield CheckConstraint(
                column(name) != f"a:b % '{field.rule}'", name=f"rule_{number}_{place}"
            )
        if field.unique:
            yield UniqueConstraint(name, name=f"uq_{number}_{place}")


def _add_indexes(table: Table, model: Model, number: int) -> None:
    plain = [each for each in model.fields if each.kind not in (11, 12, 14)]
    for place, columns in enumerate(model.indexes):
        chosen = [model.fields[each] for each in columns if model.fields[each] in plain]
        if chosen:
            Index(f"ix_{number}_{place}", *(table.c[f"c {each.name}"] for each in chosen))
    words = [each for each in model.fields if each.kind in TEXTS]
    if model.expression and words:
        Index(f"ix_{number}_lower", func.lower(table.c[f"c {words[0].name}"]))
    if model.partial and plain:
        condition = table.c[f"c {plain[0].name}"].is_not(None)
        Index(
            f"ix_{number}_partial",
            table.c.id,
            sqlite_where=condition,
            postgresql_where=condition,
        )


class Failed(AssertionError):
    """What did not hold."""


def prove(seed: int, url: str, folder: Path) -> None:
    """url: of an empty database. folder: an empty one. Raises Failed."""
    dice = random.Random(seed)
    first = random_schema(dice)
    second = changed(first, dice)
    models = [metadata_of(first), metadata_of(second)]
    shapes = []
    for metadata in models:
        project = _project(url, metadata, folder)
        _write(project)
        _up(project)
        shapes.append(_require_equal(project, metadata))
        _with_rows(project)
    for metadata, shape in zip(models[::-1], shapes[::-1], strict=True):
        project = _project(url, metadata, folder)
        _require_same(shape, _shape(project), "after going back")
        try:
            _down(project, shapes, metadata is models[0])
        except DataError:
            # Made-up values that are too long for the type of before. That revision was rolled back.
            _without_rows(project)
            _down(project, shapes, metadata is models[0])
    left = _shape(_project(url, models[0], folder))
    if left.tables or left.enums or left.others:
        raise Failed(f"left behind: {left}")


def _project(url: str, metadata: MetaData, folder: Path) -> Project:
    wanted = Wanted(folder, folder / "migrations")
    settings = MigrateSettings()
    return project_from(wanted, make_url(url), [metadata], settings, is_production=False)


def _write(project: Project) -> None:
    answers = Answers(ask=lambda question: question.startswith("Drop"))
    history = read_history(project)
    found = find(project, history, answers)
    made = drafts("change", found.steps, in_one=project.url.drivername == "sqlite")
    write(project, history, made, set(found.imports))


def _up(project: Project) -> None:
    _run(project, up=True, target="heads")


def _down(project: Project, shapes: list[Shape], is_first: bool) -> None:
    """To before the last metadata; revisions of one change are undone together."""
    history = read_history(project)
    parts = [each for each in history.scripts if "1 of" in (each.doc or "")]
    target = "base"
    if not is_first:
        whole = [
            each for each in history.scripts[1:] if each in parts or " of " not in str(each.doc)
        ]
        below = whole[0].down_revision if whole else history.heads[0]
        target = str(below)
    _run(project, up=False, target=target)


def _run(project: Project, *, up: bool, target: str) -> None:
    """Raises DataError for what the guard has told of, and Failed for what it has not."""
    engine = migration_engine(project.url)
    told: list[Finding] = []
    guard = Guard(told.append, assured="the rows are made up")
    run = Run(
        project,
        read_history(project),
        engine,
        watch=guard.watch,
        say=lambda _: None,
        each=guard.begin,
    )
    try:
        make_steps(
            run,
            lambda heads: (
                steps_up(run, heads, target)
                if up
                else (steps_down(run, heads, target) if heads else [])
            ),
        )
    except DataError as exc:
        if not any(each.code == "migrate.narrowing" for each in told):
            raise Failed(f"the server had to refuse it: {exc.orig}") from exc
        raise
    finally:
        engine.dispose()


def _shape(project: Project) -> Shape:
    engine = migration_engine(project.url)
    try:
        with engine.connect() as connection:
            return shape_of(connection).without(project.own_tables)
    finally:
        engine.dispose()


def _require_equal(project: Project, metadata: MetaData) -> Shape:
    have = _shape(project)
    engine = migration_engine(project.url)
    try:
        with engine.connect() as connection:
            want = shape_of_models(connection, [metadata])
    finally:
        engine.dispose()
    _require_same(have, want, "after going up")
    return have


def _require_same(have: Shape, want: Shape, when: str) -> None:
    changes = changes_between(have, want)
    if changes:
        raise Failed(f"{when}: {[str(each) for each in changes]}")


def _with_rows(project: Project) -> None:
    """Rows for what comes next, and proof that they can be written."""
    engine = migration_engine(project.url)
    try:
        with engine.begin() as connection:
            shape = shape_of(connection).without(project.own_tables)
            clear_tables(connection, shape)
            missed = fill_tables(connection, shape)
            if missed:
                raise Failed(f"no rows for {missed}")
            if not all(contents(connection, shape).values()):
                raise Failed("no rows")
    finally:
        engine.dispose()


def _without_rows(project: Project) -> None:
    engine = migration_engine(project.url)
    try:
        with engine.begin() as connection:
            clear_tables(connection, shape_of(connection).without(project.own_tables))
    finally:
        engine.dispose()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=150)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--postgresql", help="URL of a server where databases may be made")
    given = options.parse_args()
    failed = 0
    for seed in range(given.first, given.first + given.count):
        for url, told in _databases(given.postgresql):
            with tempfile.TemporaryDirectory() as folder:
                place = url or f"sqlite:///{folder}/test.db"
                failed += _tried(seed, place, Path(folder), told)
    print(f"{given.count} schemas, {failed} failed")
    return int(failed > 0)


def _databases(server: str | None) -> Iterator[tuple[str, str]]:
    from tilth.runtime.migrate.databases import scratch_engine

    yield "", "sqlite"
    if server is not None:
        with scratch_engine(server) as engine:
            yield engine.url.set(drivername="postgresql").render_as_string(False), "postgresql"


def _tried(seed: int, url: str, folder: Path, told: str) -> int:
    try:
        prove(seed, url, folder)
    except Exception as exc:  # whatever goes wrong is a finding of this program
        print(f"seed {seed} on {told}: {type(exc).__name__}: {str(exc)[:1500]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
