"""A connection → Alembic's context in it, with Tilth's way to change SQLite and to be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import BatchOperations, MigrateOperation, Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Enum, Table
from sqlalchemy.types import TypeEngine

from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.sqlite.impl import RebuildingImpl

Watch = Callable[[MigrationContext, MigrateOperation, Callable[[], Any]], Any]
"""Is given each operation before it is made, and makes it by calling."""


def plainly(context: MigrationContext, operation: MigrateOperation, make: Callable[[], Any]) -> Any:
    return make()


def watched(operations: Operations, watch: Watch) -> Operations:
    """The same object: Alembic's `op` stands for objects of its own class only."""

    context = operations.migration_context

    def invoke_of(made: Any) -> Callable[[Any], Any]:
        plain = type(made).invoke
        return lambda operation: watch(context, operation, lambda: plain(made, operation))

    @contextmanager
    def batch(*given: Any, **named: Any) -> Iterator[BatchOperations]:
        with Operations.batch_alter_table(operations, *given, **named) as made:
            vars(made).update(invoke=invoke_of(made))
            yield made

    vars(operations).update(invoke=invoke_of(operations), batch_alter_table=batch)
    return operations


class EnumMakingImpl(PostgresqlImpl):
    """Makes the named types that columns need, once. It is put into a context, not registered."""

    def create_table(self, table: Table, **kw: Any) -> None:
        for column in table.columns:
            self._make_type(column.type)
        super().create_table(table, **kw)

    def add_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        self._make_type(column.type)
        super().add_column(table_name, column, **kw)

    def alter_column(self, table_name: str, column_name: str, **kw: Any) -> None:
        if kw.get("type_") is not None:
            self._make_type(kw["type_"])
        super().alter_column(table_name, column_name, **kw)

    def _make_type(self, type_: TypeEngine[Any]) -> None:
        inner = getattr(type_, "item_type", type_)
        adapted = inner.dialect_impl(self.dialect)
        if isinstance(adapted, Enum) and adapted.native_enum and hasattr(adapted, "create"):
            assert self.connection is not None
            adapted.create(self.connection, checkfirst=True)
            # The table would make it again, and fail.
            for each in (inner, adapted):
                if hasattr(each, "create_type"):
                    each.create_type = False


@contextmanager
def migration_context(
    project: Project,
    script: ScriptDirectory,
    connection: Connection,
    steps: Callable[[Sequence[str], MigrationContext], Sequence[RevisionStep]],
    *,
    watch: Watch = plainly,
    on_applied: Callable[..., None] | None = None,
) -> Iterator[MigrationContext]:
    """`run_migrations` makes the steps, each in a transaction of its own with its version."""
    environment = EnvironmentContext(project.config(), script, fn=steps)
    with environment:
        environment.configure(
            connection=connection,
            version_table=project.version_table,
            version_table_schema=project.version_schema,
            transaction_per_migration=True,
            on_version_apply=on_applied,
        )
        context = environment.get_context()
        _with_own_ways(context, connection)
        operations = watched(Operations(context), watch)
        operations._install_proxy()
        try:
            yield context
        finally:
            operations._remove_proxy()


def _with_own_ways(context: MigrationContext, connection: Connection) -> None:
    made = {"sqlite": RebuildingImpl, "postgresql": EnumMakingImpl}[connection.dialect.name]
    old = context.impl
    context.impl = made(
        old.dialect, old.connection, old.as_sql, None, old.output_buffer, old.context_opts
    )
    if connection.dialect.name == "sqlite":
        # Nothing there needs to be outside of a transaction, and a revision is made whole.
        vars(context).update(autocommit_block=nullcontext)


def heads_of(project: Project, connection: Connection) -> tuple[str, ...]:
    """What the database says that it has."""
    options = {
        "version_table": project.version_table,
        "version_table_schema": project.version_schema,
    }
    return MigrationContext.configure(connection, opts=options).get_current_heads()
