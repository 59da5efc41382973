"""The revisions of a project, tried in a scratch database, beside its models → what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from tilth.errors import CommandError
from tilth.runtime.migrate.compare import Change, changes_between, order_differs
from tilth.runtime.migrate.databases import schemas_of, scratch_engine, shape_of, shape_of_models
from tilth.runtime.migrate.history import History
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.run import Run, make_steps, steps_up
from tilth.runtime.migrate.shape import ColumnShape, Shape
from tilth.runtime.migrate.writing.alterations import alteration
from tilth.runtime.migrate.writing.columns import executes
from tilth.runtime.migrate.writing.enums import enum_steps
from tilth.runtime.migrate.writing.existing import existing_metadata
from tilth.runtime.migrate.writing.renames import (
    Rename,
    candidates,
    rename_from,
    require_possible,
)
from tilth.runtime.migrate.writing.render import Renderer
from tilth.runtime.migrate.writing.steps import (
    Sides,
    Step,
    placed,
    table_argument,
    table_steps,
    tables_of,
)
from tilth.runtime.migrate.writing.undecided import losses, undecided


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person has decided. renames: as on the command line. drops: "hero.age" or "hero".

    fills: "hero.age" → a value for the rows there are. ask: None where there is nobody.
    command: what was called, with all of this, to be told with what else it has to say.
    """

    renames: tuple[str, ...] = ()
    drops: frozenset[str] = frozenset()
    fills: Mapping[str, str] = field(default_factory=dict)
    ask: Callable[[str], bool] | None = None
    ask_value: Callable[[str], str] | None = None
    command: str = 'tilth migrate new -m "…"'


@dataclass(frozen=True, slots=True)
class Found:
    """changes: for people. notes: what is different and cannot or need not be changed."""

    steps: tuple[Step, ...] = ()
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()


def replay(
    project: Project,
    history: History,
    engine: Engine,
    target: str | tuple[str, ...] = "heads",
) -> None:
    """Everything from the beginning, in a database that is empty."""
    run = Run(project, history, engine, say=lambda _: None)
    make_steps(run, lambda heads: steps_up(run, heads, target))


def difference(project: Project, history: History) -> list[Change]:
    """Between what the revisions make and what the models are."""
    with scratch_engine(project.url, project.settings.scratch) as engine:
        replay(project, history, engine)
        with engine.connect() as connection:
            return changes_between(*_shapes(project, connection))


def find(project: Project, history: History, answers: Answers) -> Found:
    """Raises CommandError while something is undecided that would lose or need values."""
    with scratch_engine(project.url, project.settings.scratch) as engine:
        replay(project, history, engine)
        renames = list(_decided_renames(project, engine, answers))
        with engine.connect() as connection:
            have, want = _shapes(project, connection)
        return _found(project, engine, (have, want), renames, answers)


def _shapes(project: Project, connection: Connection) -> tuple[Shape, Shape]:
    schemas = schemas_of(project.metadatas)
    have = shape_of(connection, schemas).without(project.own_tables)
    connection.rollback()
    want = shape_of_models(connection, project.metadatas).without(project.own_tables)
    connection.rollback()
    return have, want


def _decided_renames(project: Project, engine: Engine, answers: Answers) -> Iterator[Rename]:
    """Made in the scratch database, whose server then knows everything by its new name."""
    with engine.connect() as connection:
        tables = shape_of(connection, schemas_of(project.metadatas)).tables
    given = [rename_from(text, tables) for text in answers.renames]
    for rename in sorted(given, key=lambda each: each.is_column):
        with engine.connect() as connection:
            require_possible(rename, *_shapes(project, connection))
        _make(engine, rename)
        yield rename
    refused: set[str] = set(answers.drops)
    while (candidate := _candidate(project, engine, refused)) is not None:
        if answers.ask is None:
            with engine.connect() as connection:
                have, want = _shapes(project, connection)
            changes = changes_between(have, want)
            raise undecided(changes, have, want, answers.drops, answers.command)
        if answers.ask(_question(candidate)):
            _make(engine, candidate)
            yield candidate
        else:
            refused.add(_old_name(candidate))


def _candidate(project: Project, engine: Engine, refused: set[str]) -> Rename | None:
    with engine.connect() as connection:
        have, want = _shapes(project, connection)
    found = candidates(changes_between(have, want), have, want)
    return next((each for each in found if _old_name(each) not in refused), None)


def _old_name(rename: Rename) -> str:
    return f"{rename.table}.{rename.old}" if rename.is_column else rename.old


def _question(rename: Rename) -> str:
    what = "column" if rename.is_column else "table"
    new = f"{rename.table}.{rename.new}" if rename.is_column else rename.new
    return f"Is {what} {new} what {_old_name(rename)} was?"


def _make(engine: Engine, rename: Rename) -> None:
    quote = engine.dialect.identifier_preparer.quote
    place = ".".join(quote(part) for part in rename.table.split("."))
    new = quote(rename.new.rpartition(".")[2])
    part = f"COLUMN {quote(rename.old)} TO {new}" if rename.is_column else f"TO {new}"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {place} RENAME " + part)


def _found(
    project: Project,
    engine: Engine,
    shapes: tuple[Shape, Shape],
    renames: Sequence[Rename],
    answers: Answers,
) -> Found:
    have, want = shapes
    changes = changes_between(have, want)
    _require_drops(changes, shapes, answers)
    fills = dict(_fills(changes, have, want, project, answers))
    with engine.connect() as connection:
        existing = existing_metadata(connection, have, schemas_of(project.metadatas))
        render = Renderer(connection, project.metadatas[0])
        sides = Sides(
            have,
            want,
            tables_of(existing),
            tables_of(*project.metadatas),
            engine.dialect.name,
            fills,
        )
        steps = list(_steps(changes, sides, render, renames, project))
        imports = frozenset(render.imports)
    told = [f"rename: {_old_name(each)} → {each.new}" for each in renames]
    return Found(
        tuple(steps), (*told, *map(str, changes)), tuple(_notes(have, want, changes)), imports
    )


def _require_drops(
    changes: Sequence[Change], shapes: tuple[Shape, Shape], answers: Answers
) -> None:
    open_ones = [each for each in losses(changes) if each not in answers.drops]
    if open_ones and answers.ask is None:
        raise undecided(changes, *shapes, answers.drops, answers.command)
    for each in open_ones:
        if answers.ask is not None and not answers.ask(f"Drop {each}, with all of its values?"):
            raise CommandError(
                f"{each} is not to be dropped, and the models do not have it.",
                f"Bring it back there, or say what it is called now: --rename {each}:NEW_NAME",
            )


def _fills(
    changes: Sequence[Change], have: Shape, want: Shape, project: Project, answers: Answers
) -> Iterator[tuple[str, str]]:
    """Values for rows that are there, of columns that are required and have no default."""
    tables = tables_of(*project.metadatas)
    for change in changes:
        if change.kind not in ("add column", "alter column") or change.table not in have.tables:
            continue
        place = f"{change.table}.{change.name}"
        column = want.tables[change.table].column(change.name)
        assert column is not None
        value = answers.fills.get(place)
        if value is None and change.kind == "add column" and _needs_value(column):
            value = _asked(place, answers)
        if value is not None:
            yield place, _as_sql(value, tables[change.table].columns, change.name)


def _needs_value(column: ColumnShape) -> bool:
    given = column.default or column.generated or column.identity
    return not column.nullable and given is None


def _asked(place: str, answers: Answers) -> str:
    if answers.ask_value is None:
        raise CommandError(
            f"{place} is required and has no default in the database: rows that are there need a value.",
            f"Give one: --fill {place}=0. Or a server_default in the model, or let it be NULL.",
        )
    return answers.ask_value(f"{place} is required. Its value for rows that are there (SQL)")


def _as_sql(value: str, columns: object, name: str) -> str:
    """Text needs no quotes on the command line."""
    column = next(each for each in columns if each.name == name)  # type: ignore[attr-defined]
    try:
        is_text = column.type.python_type is str
    except NotImplementedError:
        is_text = False
    is_literal = value[:1] in "'(" or value.upper() in ("NULL", "CURRENT_TIMESTAMP")
    return value if not is_text or is_literal else "'" + value.replace("'", "''") + "'"


def _steps(
    changes: Sequence[Change],
    sides: Sides,
    render: Renderer,
    renames: Sequence[Rename],
    project: Project,
) -> Iterator[Step]:
    for number, rename in enumerate(renames):
        yield _rename_step(rename, number)
    if sides.is_postgresql:
        yield from _schema_steps(sides, project)
    yield from table_steps([*changes], sides, render)
    for change in changes:
        if change.kind in ("add enum", "drop enum", "alter enum"):
            yield from enum_steps(change, sides, render)
        elif change.kind not in ("add table", "drop table"):
            yield from alteration(change, sides, render)


def _rename_step(rename: Rename, number: int) -> Step:
    plain, _ = table_argument(rename.table)
    end = placed(rename.table)
    if not rename.is_column:
        old, new = plain, rename.new.rpartition(".")[2]
        up, down = (
            f"op.rename_table({old!r}, {new!r}{end}",
            f"op.rename_table({new!r}, {old!r}{end}",
        )
    else:
        up = f"op.alter_column({plain!r}, {rename.old!r}, new_column_name={rename.new!r}{end}"
        down = f"op.alter_column({plain!r}, {rename.new!r}, new_column_name={rename.old!r}{end}"
    return Step(-1000 + number, up, down)


def _schema_steps(sides: Sides, project: Project) -> Iterator[Step]:
    there = {name.rpartition(".")[0] for name in sides.have.tables}
    for schema in schemas_of(project.metadatas):
        if schema not in there:
            yield Step(
                -2000,
                executes(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'),
                executes(f'DROP SCHEMA IF EXISTS "{schema}"'),
            )


def _notes(have: Shape, want: Shape, changes: Sequence[Change]) -> Iterator[str]:
    moved = {change.table for change in changes}
    for name, table in have.tables.items():
        wanted = want.tables.get(name)
        if wanted and name not in moved and order_differs(table, wanted):
            yield f"{name}: the columns stand in another order than in the model; that changes nothing."
