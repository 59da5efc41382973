"""SQLAlchemy's MariaDB dialect, with types that keep what the models mean and NULL as the largest value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pymysql
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import DATETIME, VARCHAR
from sqlalchemy.dialects.mysql.base import MySQLCompiler, MySQLDDLCompiler, MySQLTypeCompiler
from sqlalchemy.dialects.mysql.mariadb import loader
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

OLDEST = (10, 11)
"""The version that statements are compiled for before any server was asked for its own."""

UNSAID_LENGTH = 255
"""Of a text whose column says none: what SQLModel takes on MariaDB. Longer ones are refused, not cut."""

MICROSECONDS = 6


class UtcDateTime(DATETIME):
    """MariaDB stores no offset: SQLAlchemy drops it, so the value must be UTC first."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        def process(value: Any) -> Any:
            if isinstance(value, datetime) and value.tzinfo and self.timezone:
                return value.astimezone(UTC).replace(tzinfo=None)
            return value

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Aware, as PostgreSQL answers, so that the same code can compare it with what time it is."""
        if not self.timezone:
            return None

        def process(value: Any) -> Any:
            is_naive = isinstance(value, datetime) and value.tzinfo is None
            return value.replace(tzinfo=UTC) if is_naive else value

        return process


class MariadbTypes(MySQLTypeCompiler):
    """Columns that hold what the plain types hold elsewhere.

    On their own they would drop microseconds, cut at 64 KB, keep floats in 4 bytes, and refuse a text
    without a length as a key.
    """

    def visit_DATETIME(self, type_: Any, **options: Any) -> str:
        fraction = getattr(type_, "fsp", None)
        return f"DATETIME({MICROSECONDS if fraction is None else fraction})"

    def visit_TIME(self, type_: Any, **options: Any) -> str:
        fraction = getattr(type_, "fsp", None)
        return f"TIME({MICROSECONDS if fraction is None else fraction})"

    def visit_FLOAT(self, type_: Any, **options: Any) -> str:
        return "DOUBLE" if type_.precision is None else str(super().visit_FLOAT(type_, **options))

    def visit_VARCHAR(self, type_: Any, **options: Any) -> str:
        return super().visit_VARCHAR(type_ if type_.length else VARCHAR(UNSAID_LENGTH), **options)

    def visit_TEXT(self, type_: Any, **options: Any) -> str:
        column = options.get("type_expression")
        if isinstance(column, Column) and _is_in_a_key(column):
            return f"VARCHAR({UNSAID_LENGTH})"
        return "LONGTEXT" if type_.length is None else super().visit_TEXT(type_, **options)

    def visit_large_binary(self, type_: Any, **options: Any) -> str:
        return f"VARBINARY({type_.length})" if type_.length else "LONGBLOB"


def _is_in_a_key(column: Column[Any]) -> bool:
    """Of which MariaDB has to know how long it may be."""
    table = column.table
    kinds = (PrimaryKeyConstraint, UniqueConstraint, ForeignKeyConstraint)
    keys = (each for each in table.constraints if isinstance(each, kinds))
    return any(column in set(each.columns) for each in (*keys, *table.indexes))


class MariadbCompiler(MySQLCompiler):
    """MariaDB has no NULLS FIRST or LAST, and NULL is its smallest value."""

    def visit_nulls_last_op_unary_modifier(
        self, unary: UnaryExpression[Any], operator: object, **options: Any
    ) -> str:
        return self._ordered(unary, "IS NULL", options)

    def visit_nulls_first_op_unary_modifier(
        self, unary: UnaryExpression[Any], operator: object, **options: Any
    ) -> str:
        return self._ordered(unary, "IS NOT NULL", options)

    def _ordered(self, unary: UnaryExpression[Any], test: str, options: dict[str, Any]) -> str:
        term = unary.element
        is_directed = isinstance(term, UnaryExpression) and term.modifier in (
            operators.asc_op,
            operators.desc_op,
        )
        value = term.element if is_directed else term
        return f"{self.process(value, **options)} {test}, {self.process(term, **options)}"


class MariadbTables(MySQLDDLCompiler):
    def visit_column_check_constraint(self, constraint: Any, **options: Any) -> str:
        """Beside a column MariaDB takes no name, and calls the rule as the column."""
        expression = self.sql_compiler.process(
            constraint.sqltext, include_table=False, literal_binds=True
        )
        return f"CHECK ({expression})"


def adapted(dialect: Dialect) -> Dialect:
    """Changes this one dialect object, before it compiles anything."""
    dialect.colspecs = {**dialect.colspecs, DateTime: UtcDateTime}
    dialect.statement_compiler = MariadbCompiler
    dialect.ddl_compiler = MariadbTables
    dialect.type_compiler_instance = MariadbTypes(dialect)
    # While one is open its connection answers nothing else, not even the load of a relation.
    dialect.supports_server_side_cursors = False
    return dialect


def reading_dialect() -> Dialect:
    """Compiles for connections that are not there yet."""
    dialect = loader("pymysql")(dbapi=pymysql, paramstyle="format")
    dialect.server_version_info = OLDEST
    return adapted(dialect)
