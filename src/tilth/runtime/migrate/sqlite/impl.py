"""Alembic's operations on SQLite: natively where the library can, else by rebuilding the table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alembic.ddl.sqlite import SQLiteImpl
from sqlalchemy import CheckConstraint, Column, Computed, Connection, Constraint, Identity, Table
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine

from tilth.errors import CommandError
from tilth.runtime.migrate.shape import ConstraintShape
from tilth.runtime.migrate.sqlite import edits
from tilth.runtime.migrate.sqlite.rebuild import mentions, neighbours, read_table, rebuild
from tilth.runtime.migrate.sqlite.shape import constraints_of
from tilth.runtime.migrate.sqlite.table_text import TableText, clause_text, column_text
from tilth.runtime.migrate.sqlite.tokens import (
    normal,
    quoted,
    spelled,
    tokens_of,
    without_parentheses,
)

NATIVE_DROP_COLUMN = (3, 35)
NATIVE_CONSTRAINTS = (3, 53)

_CONSTRAINT_TYPES = {"foreignkey": "foreign key", "primary": "primary key"}


@dataclass(frozen=True, slots=True)
class Pending:
    """What one table was and is to be. sources: as rebuild takes them."""

    old: TableText
    new: TableText
    sources: Mapping[str, str]


class RebuildingImpl(SQLiteImpl):
    """Does not name its dialect: it is put into a context, never registered for everyone."""

    transactional_ddl = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._pending: Pending | None = None

    @property
    def open_connection(self) -> Connection:
        """As it is once everything that was asked for is done."""
        self.settle()
        assert self.connection is not None
        return self.connection

    @property
    def bind(self) -> Connection | None:
        return self.open_connection

    def settle(self) -> None:
        """Rebuild the table whose changes were collected: several of them are one copy."""
        pending, self._pending = self._pending, None
        if pending is not None:
            assert self.connection is not None
            rebuild(self.connection, pending.old, pending.new, pending.sources)

    def _exec(self, construct: Any, *given: Any, **named: Any) -> Any:
        self.settle()
        return super()._exec(construct, *given, **named)

    def _change(self, new: TableText, sources: Mapping[str, str] | None = None) -> None:
        """new: of the table that `_table` has given."""
        if self._pending is not None:
            more = {**self._pending.sources, **(sources or {})}
            self._pending = Pending(self._pending.old, new, more)
        else:
            self._pending = Pending(self._table(new.name), new, sources or {})

    def requires_recreate_in_batch(self, batch_op: Any) -> bool:
        """Never by Alembic: each operation of a batch comes here."""
        return False

    def add_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        table = self._table(table_name)
        if kw.get("if_not_exists") and table.column(column.name) is not None:
            return
        compiler = self.dialect.ddl_compiler(self.dialect, None)  # type: ignore[arg-type]
        text = compiler.get_column_specification(column)
        for constraint in column.constraints:
            text += f" {compiler.process(constraint)}"
        added = column_text(text)
        if self._pending is None and self._can_be_added(added.text):
            self._run(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {added.text}")
        else:
            default = added.clause("default")
            value = spelled(default.tokens[1:]) if default else "NULL"
            # Also when a column of its name was dropped just before: its values are not these.
            sources = {} if added.is_generated else {added.name: value}
            self._change(edits.with_column(table, added), sources)

    def drop_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        table = self._table(table_name)
        if kw.get("if_exists") and table.column(column.name) is None:
            return
        name = edits.required(table, column.name).name
        if self._pending is None and self._can_be_dropped(table, name):
            self._run(f"ALTER TABLE {quoted(table.name)} DROP COLUMN {quoted(name)}")
        else:
            self._change(edits.without_column(table, name))

    def alter_column(
        self,
        table_name: str,
        column_name: str,
        *,
        nullable: bool | None = None,
        server_default: Any = False,
        name: str | None = None,
        type_: TypeEngine[Any] | None = None,
        existing_type: TypeEngine[Any] | None = None,
        **kw: Any,
    ) -> None:
        table = self._table(table_name)
        column = edits.required(table, column_name)
        changed = column
        if type_ is not None:
            keeps = getattr(existing_type, "collation", None) is None
            text = self.dialect.type_compiler_instance.process(type_)
            changed = edits.with_type(changed, text, keep_collation=keeps)
        if server_default is not False and not isinstance(server_default, Identity):
            changed = self._with_default(changed, server_default, type_ or existing_type)
        if nullable is not None:
            changed = edits.with_nullable(changed, nullable)
        if changed.text != column.text:
            new = edits.changed_column(table, column.name, lambda _: changed)
            sources = {}
            if column.is_generated != changed.is_generated and not changed.is_generated:
                sources = {column.name: quoted(column.name)}
            self._change(new, sources)
        if name is not None and name != column.name:
            old = quoted(column.name)
            self._run(f"ALTER TABLE {quoted(table.name)} RENAME COLUMN {old} TO {quoted(name)}")

    def add_constraint(self, const: Constraint, **kw: Any) -> None:
        rule = const._create_rule
        if rule is not None and not rule(self):
            return
        table = self._table(_table_name(const))
        compiler = self.dialect.ddl_compiler(self.dialect, None)  # type: ignore[arg-type]
        clause = clause_text(compiler.process(const))
        self._change(edits.with_constraint(table, clause))

    def drop_constraint(self, const: Constraint, **kw: Any) -> None:
        table = self._table(_table_name(const))
        is_meant = self._meant(const)
        if not any(map(is_meant, constraints_of(table))) and (
            kw.get("if_exists") or const._create_rule is not None
        ):
            return
        self._change(edits.without_constraint(table, is_meant))

    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        table = self._table(old_table_name)
        self._run(f"ALTER TABLE {quoted(table.name)} RENAME TO {quoted(str(new_table_name))}")

    def create_table_comment(self, table: Table) -> None:
        """SQLite keeps no comments."""

    def drop_table_comment(self, table: Table) -> None:
        """SQLite keeps no comments."""

    def create_column_comment(self, column: Column[Any]) -> None:
        """SQLite keeps no comments."""

    def _table(self, name: str) -> TableText:
        """With what was asked of it so far."""
        if self._pending is not None and self._pending.new.name.lower() == str(name).lower():
            return self._pending.new
        return read_table(self.open_connection, str(name))

    def _run(self, statement: str) -> None:
        self.open_connection.exec_driver_sql(statement)

    def _with_default(self, column: Any, default: Any, type_: TypeEngine[Any] | None) -> Any:
        compiler = self.dialect.ddl_compiler(self.dialect, None)  # type: ignore[arg-type]
        if isinstance(default, Computed):
            return edits.with_generated(column, compiler.process(default))
        given: Column[Any] = Column(column.name, type_, server_default=default)
        text = compiler.get_column_default_string(given)
        if text is not None and _needs_parentheses(text):
            text = f"({text})"
        return edits.with_default(edits.with_generated(column, None), text)

    def _meant(self, const: Constraint) -> Any:
        kind = _CONSTRAINT_TYPES.get(str(_type_of(const)), _type_of(const))
        name = None if const.name is None else str(const.name)
        if isinstance(const, CheckConstraint) and const._create_rule is not None:
            return self._bound_to_type(const, name)

        def is_meant(shape: ConstraintShape) -> bool:
            fits = kind is None or shape.kind == kind
            return fits and name is not None and shape.name.lower() == name.lower()

        return is_meant

    def _bound_to_type(self, const: CheckConstraint, name: str | None) -> Any:
        """Of Boolean and Enum: without a name it is known by what it says."""
        compiler = self.dialect.statement_compiler(self.dialect, None)
        try:
            said = compiler.process(const.sqltext, literal_binds=True, include_table=False)
        except CompileError as exc:
            raise CommandError(f"The check of {_table_name(const)} cannot be told: {exc}") from exc
        definition = normal(without_parentheses(tokens_of(said)))
        return lambda shape: (
            shape.name == name or (shape.kind == "check" and shape.definition == definition)
        )

    def _can_be_added(self, text: str) -> bool:
        """sqlite.org/lang_altertable.html#altertabaddcol"""
        column = column_text(text)
        kinds = {each.kind for each in column.clauses}
        default = column.clause("default")
        generated = column.clause("generated")
        is_stored = generated is not None and "STORED" in generated.text.upper()
        if kinds & {"primary key", "unique"} or is_stored:
            return False
        value = normal(default.tokens[1:]) if default else "null"
        if value.startswith("current_") or (default and default.tokens[1].text == "("):
            return False
        return "not null" not in kinds or value != "null" or generated is not None

    def _can_be_dropped(self, table: TableText, name: str) -> bool:
        """sqlite.org/lang_altertable.html#altertabdropcol"""
        if self._version < NATIVE_DROP_COLUMN or len(table.columns) == 1:
            return False
        if any(name in each.columns for each in constraints_of(table)):
            return False
        others = [each.text for each in table.columns if each.is_generated and each.name != name]
        around = [each.sql for each in neighbours(self.open_connection, table.name)]
        return not any(mentions(sql, [name]) for sql in (*others, *around))

    @property
    def _version(self) -> tuple[int, ...]:
        return tuple(self.dialect.dbapi.sqlite_version_info)  # type: ignore[union-attr]


def _needs_parentheses(text: str) -> bool:
    plain = re.fullmatch(r"[+-]?[\d.]+|'(?:[^']|'')*'|\(.*\)|[^\W\d]\w*", text, re.DOTALL)
    return plain is None


def _table_name(const: Constraint) -> str:
    return str(const.table.name)


def _type_of(const: Constraint) -> str | None:
    """What `type_=` of op.drop_constraint said, or what kind of object it is."""
    name = const.__visit_name__
    kinds: Mapping[str, str] = {
        "foreign_key_constraint": "foreign key",
        "unique_constraint": "unique",
        "check_constraint": "check",
        "table_or_column_check_constraint": "check",
        "column_check_constraint": "check",
        "primary_key_constraint": "primary key",
    }
    return kinds.get(name)
