"""Projects of migrations in temporary folders, whose models are given as metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData
from sqlalchemy.engine import make_url

from tilth.errors import Finding
from tilth.runtime.migrate.applying import applied_down, applied_up
from tilth.runtime.migrate.checksums import write_checksums
from tilth.runtime.migrate.databases import migration_engine, shape_of
from tilth.runtime.migrate.history import History, read_history
from tilth.runtime.migrate.project import Project, Wanted, project_from
from tilth.runtime.migrate.run import Applied
from tilth.runtime.migrate.shape import Shape
from tilth.runtime.migrate.writing.files import Draft, drafts, write
from tilth.runtime.migrate.writing.find import Answers, difference, find
from tilth.settings import MigrateSettings


@dataclass(frozen=True, slots=True)
class Tried:
    """A project and what can be asked of it. warnings: what was told so far."""

    project: Project
    warnings: list[Finding]

    @property
    def history(self) -> History:
        return read_history(self.project)

    def with_models(self, metadata: MetaData) -> Tried:
        return replace(self, project=replace(self.project, metadatas=(metadata,)))

    def new(
        self,
        renames: Sequence[str] = (),
        drops: Sequence[str] = (),
        fills: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Writes what has changed; answers it in words."""
        answers = Answers(tuple(renames), frozenset(drops), fills or {})
        found = find(self.project, self.history, answers)
        in_one = self.project.url.drivername == "sqlite"
        made = drafts("change", found.steps, in_one=in_one)
        write(self.project, self.history, made, set(found.imports))
        write_checksums(self.project.checksums, self.history.scripts)
        return list(found.changes)

    def write(self, up: str, down: str = "pass", message: str = "by hand") -> Path:
        """A revision with these lines."""
        draft = Draft(message, "expand", up, down)
        [path] = write(self.project, self.history, [draft], set())
        write_checksums(self.project.checksums, self.history.scripts)
        return path

    def up(self, target: str = "heads", **options: Any) -> list[Applied]:
        told = self.warnings.append
        return applied_up(
            self.project, self.history, target, say=lambda _: None, warn=told, **options
        )

    def down(self, target: str = "base", assured: str | None = "a test") -> list[Applied]:
        told = self.warnings.append
        return applied_down(
            self.project, self.history, target, say=lambda _: None, warn=told, assured=assured
        )

    def remaining(self) -> list[str]:
        """What is different between the revisions and the models."""
        return [str(each) for each in difference(self.project, self.history)]

    @property
    def shape(self) -> Shape:
        with self.connected() as connection:
            return shape_of(connection).without(self.project.own_tables)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """In a transaction that is committed at the end."""
        engine = migration_engine(self.project.url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def run(self, *statements: str) -> None:
        with self.connected() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connected() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


Trying = Callable[..., Tried]


@pytest.fixture
def trying(tmp_path: Path) -> Trying:
    """trying(url, metadata): a project without revisions."""

    def tried(url: str, metadata: MetaData | None = None, **settings: Any) -> Tried:
        made = project_from(
            Wanted(tmp_path),
            make_url(url),
            [metadata or MetaData()],
            MigrateSettings(**{"lock_seconds": 0.2, **settings}),
            is_production=False,
        )
        return Tried(made, [])

    return tried
