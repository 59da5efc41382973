"""Alembic's operations → lines of Python, with plain types and every import they need."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from alembic.autogenerate import render
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import sqla_compat
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Constraint,
    Index,
    MetaData,
    Sequence,
    Table,
)
from sqlalchemy.schema import DefaultClause
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.runtime.migrate.quoting import plain_dialect

INDENT = "    "


class Renderer:
    """Collects the imports of one file. connection: whose dialect the expressions are written in.

    metadata: whose naming convention the models have.
    """

    def __init__(self, connection: Connection, metadata: MetaData) -> None:
        self.dialect = plain_dialect(connection)
        self.metadata = metadata
        self.imports: set[str] = set()
        self._checks_apart = True
        context = MigrationContext.configure(dialect=self.dialect)
        options = {
            "sqlalchemy_module_prefix": "sa.",
            "alembic_module_prefix": "op.",
            "user_module_prefix": None,
            "render_as_batch": False,
            "render_item": self._item,
        }
        self._context = AutogenContext(context, opts=options)

    def operation(self, operation: ops.MigrateOperation) -> str:
        text = render.render_op_text(self._context, operation)
        self.imports |= set(self._context.imports or ())
        return text

    def create_table(self, table: Table, without: Collection[Constraint] = ()) -> str:
        """without: constraints that are added later."""
        bound = [each for each in table.constraints if _is_bound(each)]
        constraints = [
            render._render_constraint(each, self._context, table.metadata)
            for each in table.constraints
            if each not in without and each not in bound
        ]
        # A check that a naming convention names is written beside the type that asks for it.
        self._checks_apart = _names_checks(table.metadata)
        columns = [self.column(each) for each in table.columns]
        if self._checks_apart:
            compiler = self.dialect.statement_compiler(self.dialect, None)
            rules = [(each, each._create_rule) for each in bound]
            made = [each for each, rule in rules if rule is None or rule(compiler)]
            constraints += [self._check(each) for each in made]
        parts = [
            repr(str(table.name)),
            *columns,
            *sorted(filter(None, constraints)),
            *self._options(table),
        ]
        self._checks_apart = True
        body = "".join(f"\n{INDENT}{part}," for part in parts)
        return f"op.create_table({body}\n)"

    def column(self, column: Column[Any]) -> str:
        if self.sequence(column) is not None:
            # Otherwise it would get one more, as every key that counts.
            column = column._copy()
            column.autoincrement = False
        text = str(render._render_column(column, self._context))
        self.imports |= set(self._context.imports or ())
        return text

    def sequence(self, column: Column[Any]) -> Sequence | None:
        """What the application numbers its new rows from, where the database has such a thing."""
        default = column.default
        if isinstance(default, Sequence) and not default.optional:
            return default if self.dialect.supports_sequences else None
        return None

    def server_default(self, column: Column[Any]) -> str:
        """As it is written behind `server_default=`."""
        return str(render._render_server_default(column.server_default, self._context))

    def create_index(self, index: Index, **more: Any) -> str:
        operation = ops.CreateIndexOp.from_index(index)
        operation.kw.update(more)
        operation.if_not_exists = True if "postgresql_concurrently" in more else None
        return self.operation(operation)

    def drop_index(self, index: Index, **more: Any) -> str:
        operation = ops.DropIndexOp.from_index(index)
        operation.kw.update(more)
        operation.if_exists = True if "postgresql_concurrently" in more else None
        return self.operation(operation)

    def _options(self, table: Table) -> list[str]:
        kept = {name: value for name, value in table.kwargs.items() if value not in (None, False)}
        found = [f"{name}={kept[name]!r}" for name in sorted(kept)]
        if table.schema:
            found.append(f"schema={str(table.schema)!r}")
        if table.comment is not None:
            found.append(f"comment={table.comment!r}")
        if table._prefixes:
            found.append(f"prefixes={[str(each) for each in table._prefixes]!r}")
        return found

    def _check(self, constraint: Any) -> str:
        name = sqla_compat._get_constraint_final_name(constraint, self.dialect)
        return f"sa.CheckConstraint(sa.text({self.sql(constraint.sqltext)!r}), name=op.f({name!r}))"

    def type(self, type_: TypeEngine[Any]) -> str:
        text = str(render._repr_type(type_, self._context))
        self.imports |= set(self._context.imports or ())
        return text

    def sql(self, expression: Any) -> str:
        """As text of the dialect, with its values in it."""
        if isinstance(expression, str):
            return expression
        options = {"literal_binds": True, "include_table": False}
        return str(expression.compile(dialect=self.dialect, compile_kwargs=options))

    def _item(self, kind: str, item: Any, context: AutogenContext) -> Any:
        if kind == "type":
            return self._plain_type(item, context)
        if kind == "server_default":
            return _portable_default(item)
        return False

    def _plain_type(self, type_: Any, context: AutogenContext) -> Any:
        """A type of the application's own is written as what it is in the database."""
        if getattr(type_, "create_constraint", False) and self._checks_apart:
            bare = type_.copy()
            bare.create_constraint = False
            return render._repr_type(bare, context)
        module = type(type_).__module__
        # Those of SQLAlchemy, such as Interval, know themselves what they are where; but they do not
        # write down that they have been told otherwise.
        knows = module.startswith("sqlalchemy.") and getattr(type_, "native", True)
        if (
            isinstance(type_, TypeDecorator)
            and not knows
            and not getattr(type_, "_variant_mapping", None)
        ):
            plain = type_.load_dialect_impl(self.dialect)
            return render._repr_type(plain, context)
        if isinstance(type_, TypeDecorator) or module.startswith("sqlalchemy."):
            return False
        context.imports.add(f"import {module}")
        return f"{module}.{type_!r}"


def _portable_default(default: Any) -> Any:
    """What means the same on both databases is not written in the words of one."""
    argument = default.arg if isinstance(default, DefaultClause) else default
    if isinstance(argument, True_):
        return "sa.true()"
    if isinstance(argument, False_):
        return "sa.false()"
    if isinstance(argument, FunctionElement) and getattr(argument, "name", "") == "now":
        return "sa.func.now()"
    return False


def _is_bound(constraint: Constraint) -> bool:
    """Made by a type, of Boolean or Enum."""
    return bool(getattr(constraint, "_type_bound", False))


def _names_checks(metadata: MetaData) -> bool:
    return "ck" in metadata.naming_convention or CheckConstraint in metadata.naming_convention
