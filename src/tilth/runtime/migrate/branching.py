"""Histories that were written beside one another → one line; old ones → one revision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script
from sqlalchemy import Connection, text

from tilth.errors import CommandError
from tilth.kit.clock import now
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.checksums import checksum_of, write_checksums
from tilth.runtime.migrate.compare import changes_between
from tilth.runtime.migrate.context import heads_of, migration_context
from tilth.runtime.migrate.databases import (
    migration_engine,
    schemas_of,
    scratch_engine,
    shape_of,
)
from tilth.runtime.migrate.history import History, ancestors, read_history
from tilth.runtime.migrate.log import Entry, ensure_log, write_entry
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.run import fingerprint, name_of, phase_of
from tilth.runtime.migrate.shape import Shape
from tilth.runtime.migrate.state import read_state
from tilth.runtime.migrate.writing.columns import executes
from tilth.runtime.migrate.writing.existing import existing_metadata
from tilth.runtime.migrate.writing.files import Draft, drafts, file_text, name_for
from tilth.runtime.migrate.writing.find import difference, replay
from tilth.runtime.migrate.writing.render import Renderer
from tilth.runtime.migrate.writing.steps import Sides, table_steps, tables_of

_DOWN = re.compile(r"^(down_revision\b[^=\n]*=\s*)(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Moved:
    """Files that were written or changed, and those that are gone."""

    written: tuple[Path, ...]
    removed: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def merged(project: Project, history: History, message: str) -> Moved:
    """A revision that follows both and does nothing."""
    if len(history.heads) < 2:
        raise CommandError("There is one branch: nothing has to be merged.")
    draft = Draft(message, "expand", "pass", "pass")
    parents = tuple(sorted(history.heads))
    name = name_for(draft, parents)
    path = project.folder / f"{len(history.scripts) + 1:04}_merge_{name[:6]}.py"
    path.write_text(file_text(draft, name, parents), "utf-8")
    write_checksums(project.checksums, read_history(project).scripts)
    return Moved((path,))


def rebased(project: Project, history: History, first: str | None) -> Moved:
    """One branch is put behind the other. Raises CommandError when it is applied here."""
    if len(history.heads) != 2:
        raise CommandError(
            f"rebase joins two branches, and there {'is one' if len(history.heads) < 2 else 'are more'}.",
            None if len(history.heads) < 2 else "Join the others first: tilth migrate merge.",
        )
    applied = {each.revision for each in read_state(project, history).revisions if each.is_applied}
    branches = [_branch(history, head) for head in history.heads]
    moving, staying = _chosen(branches, applied, first)
    if any(each.revision in applied for each in moving):
        raise CommandError(
            f"{name_of(moving[0])} is applied to this database, so it cannot come later.",
            "Undo it first (tilth migrate down), or keep both: tilth migrate merge.",
        )
    root, head = moving[0], staying[-1]
    path = Path(root.path)
    source, found = _DOWN.subn(rf"\g<1>{head.revision!r}", path.read_text("utf-8"), count=1)
    if not found:
        raise CommandError(f"{path} has no line down_revision = …")
    path.write_text(source, "utf-8")
    written = _renumbered(project, history, moving)
    write_checksums(project.checksums, read_history(project).scripts)
    return Moved(tuple(written))


def _branch(history: History, head: str) -> list[Script]:
    """What only this head comes after, oldest first."""
    others = ancestors(history.scripts, [each for each in history.heads if each != head])
    own = ancestors(history.scripts, [head]) - others
    return [each for each in history.scripts if each.revision in own]


def _chosen(
    branches: list[list[Script]], applied: set[str], first: str | None
) -> tuple[list[Script], list[Script]]:
    """The branch that moves, and the one that stays."""
    if first is not None:
        for mine, theirs in (branches, branches[::-1]):
            if any(each.revision.startswith(first) for each in mine):
                return mine, theirs
        names = sentence_list(each.revision for branch in branches for each in branch)
        raise CommandError(f"{first} is in neither branch.", f"There are: {names}.")
    loose = [branch for branch in branches if not any(s.revision in applied for s in branch)]
    if len(loose) == 1:
        moving = loose[0]
    else:
        # Whoever has just pulled the revisions of others has written theirs last.
        moving = max(branches, key=lambda branch: max(Path(s.path).stat().st_mtime for s in branch))
    return moving, next(branch for branch in branches if branch is not moving)


def _renumbered(project: Project, history: History, moving: list[Script]) -> Iterator[Path]:
    """Files whose names begin with a number are put where they now belong."""
    number = len(history.scripts) - len(moving)
    for script in moving:
        number += 1
        path = Path(script.path)
        found = re.match(r"\d{4}_", path.name)
        if found and not project.is_adopted:
            target = path.with_name(f"{number:04}_{path.name[5:]}")
            if not target.exists():
                path = path.rename(target)
        yield path


def baselined(project: Project, history: History, target: str) -> list[str]:
    """Says that the database is at a revision. Answers the names of those that count as applied.

    Raises CommandError when it does not look as that revision makes it.
    """
    revisions = history.directory.get_revisions(target)
    heads = tuple(each.revision for each in revisions)
    taken = ancestors(history.scripts, heads)
    with scratch_engine(project.url, project.settings.scratch) as engine:
        replay(project, history, engine, heads)
        with engine.connect() as connection:
            want = _shape(project, connection)
    engine = migration_engine(project.url)
    try:
        with engine.connect() as connection:
            there = heads_of(project, connection)
            _require_alike(project, there, _shape(project, connection), want)
        with engine.connect() as connection:
            _stamp(project, history, connection, heads, taken)
    finally:
        engine.dispose()
    return [name_of(each) for each in history.scripts if each.revision in taken]


def _shape(project: Project, connection: Connection) -> Shape:
    return shape_of(connection, schemas_of(project.metadatas)).without(project.own_tables)


def _require_alike(project: Project, there: Sequence[str], have: Shape, want: Shape) -> None:
    if there:
        raise CommandError(
            f"The database is at {sentence_list(there)} already.", "Bring it up: tilth migrate up."
        )
    extra = have.tables.keys() - want.tables.keys()
    changes = changes_between(have.without(extra), want)
    if changes:
        raise CommandError(
            f"The database is not what the revision makes: {sentence_list(map(str, changes))}.",
            "Name the revision that it is at. If the models have changed since its tables were made, "
            "write the first revision with the models as they were, and the change as the next.",
        )


def _stamp(
    project: Project,
    history: History,
    connection: Connection,
    heads: tuple[str, ...],
    taken: set[str],
) -> None:
    scope = migration_context(project, history.directory, connection, lambda *_: [])
    with scope as context, connection.begin():
        context.stamp(history.directory, heads)  # type: ignore[arg-type]
        ensure_log(connection)
        shape = fingerprint(_shape(project, connection))
        for script in history.scripts:
            if script.revision in taken:
                last = shape if script.revision in heads else None
                write_entry(
                    connection,
                    Entry(
                        script.revision,
                        phase_of(script),
                        checksum_of(Path(script.path)),
                        now(),
                        0.0,
                        last,
                    ),
                )


def squashed(project: Project, history: History, message: str, until: str | None) -> Moved:
    """One revision, of the name of the last that it takes in, which makes the same tables.

    Databases that are at that one or later do not notice. Raises CommandError when this one is not.
    """
    taken, last = _taken(history, until)
    _require_past(project, history, last)
    with scratch_engine(project.url, project.settings.scratch) as engine:
        replay(project, history, engine, last.revision)
        with engine.connect() as connection:
            shape = _shape(project, connection)
            draft, imports = _whole(project, connection, shape, message)
    before = [str(each) for each in difference(project, history)]
    contents = {Path(each.path): Path(each.path).read_text("utf-8") for each in taken}
    for path in contents:
        path.unlink()
    written = project.folder / f"{len(taken):04}_squashed.py"
    source = file_text(draft, last.revision, None, imports)
    names = tuple(each.revision for each in taken)
    written.write_text(source.replace("\nphase = ", f"\nreplaces = {names!r}\nphase = "), "utf-8")
    after = [str(each) for each in difference(project, read_history(project))]
    if after != before:
        written.unlink()
        for path, old in contents.items():
            path.write_text(old, "utf-8")
        raise CommandError(f"One revision would not make the same: {sentence_list(after)}.")
    write_checksums(project.checksums, read_history(project).scripts)
    return Moved(
        (written,), tuple(path for path in contents if path != written), tuple(_rows(contents))
    )


def _taken(history: History, until: str | None) -> tuple[list[Script], Script]:
    if len(history.heads) > 1:
        raise CommandError("There are several branches.", "Join them first: tilth migrate rebase.")
    wanted = until or (history.heads[0] if history.heads else "")
    found = [each for each in history.scripts if wanted and each.revision.startswith(wanted)]
    if len(found) != 1:
        raise CommandError(
            f"There is no revision {wanted or 'yet'}.", "tilth migrate status has them."
        )
    names = ancestors(history.scripts, [found[0].revision])
    taken = [each for each in history.scripts if each.revision in names]
    if len(taken) < 2:
        raise CommandError("There is nothing to squash before it.")
    return taken, found[0]


def _require_past(project: Project, history: History, last: Script) -> None:
    states = read_state(project, history).revisions
    applied = {each.revision for each in states if each.is_applied}
    if applied and last.revision not in applied:
        raise CommandError(
            f"This database is not yet at {name_of(last)}, and could not be brought there afterwards.",
            "tilth migrate up first, here and wherever else it is used.",
        )


def _whole(
    project: Project, connection: Connection, shape: Shape, message: str
) -> tuple[Draft, set[str]]:
    existing = existing_metadata(connection, shape, schemas_of(project.metadatas))
    render = Renderer(connection, existing)
    sides = Sides(Shape(), shape, {}, tables_of(existing), connection.dialect.name)
    steps = list(table_steps(changes_between(Shape(), shape), sides, render))
    [draft] = drafts(message, steps, in_one=True)
    schemas = [
        executes(f'CREATE SCHEMA IF NOT EXISTS "{n}"') for n in schemas_of(project.metadatas)
    ]
    others = [executes(sql) for sql in _others(connection)]
    is_postgresql = connection.dialect.name == "postgresql"
    ends = [executes(f'DROP TYPE "{name}"') for name in shape.enums if is_postgresql]
    up = "\n".join([*(schemas if is_postgresql else ()), draft.up, *others])
    down = draft.down if not others else 'irreversible("it is the beginning")'
    return Draft(
        message, "expand", up, "\n".join([down, *(() if others else ends)])
    ), render.imports


_SQLITE_OTHERS = text(
    "SELECT sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY type DESC, rowid"
)
_POSTGRESQL_OTHERS = text("""
    SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND p.prokind IN ('f', 'p')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'CREATE VIEW ' || quote_ident(c.relname) || ' AS ' || pg_get_viewdef(c.oid) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'v'
    UNION ALL
    SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND NOT t.tgisinternal""")


def _others(connection: Connection) -> list[str]:
    is_file = connection.dialect.name == "sqlite"
    return list(connection.scalars(_SQLITE_OTHERS if is_file else _POSTGRESQL_OTHERS))


def _rows(contents: dict[Path, str]) -> Iterator[str]:
    """Revisions that also wrote rows, which one that makes tables does not."""
    for path, source in contents.items():
        if re.search(r"bulk_insert|\bINSERT\s+INTO\b|\.insert\(", source, re.IGNORECASE):
            yield f"{path.name} wrote rows: bring what a new database needs into the squashed one."
