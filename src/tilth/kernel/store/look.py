"""One select of Tilth's own tables → rows, by way of the connections that read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from tilth.kernel.store.drivers.driver import Database

Convert = Callable[[Any], Any]


class Look:
    """A statement compiled once, asked with values by the names of its parameters."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._parameters = [
            (bind.key, bind.effective_value, _sending(bind.type, dialect))
            for bind in (compiled.binds[name] for name in compiled.positiontup or ())
        ]
        columns = statement.selected_columns
        self._names = [str(column.key) for column in columns]
        self._reading = [_reading(column.type, dialect) for column in columns]

    async def rows(self, database: Database, **values: object) -> list[dict[str, Any]]:
        """One statement. Raises Unavailable."""
        sent = [
            convert(values.get(key, constant)) if convert else values.get(key, constant)
            for key, constant, convert in self._parameters
        ]
        return [self._row(row) for row in await database.fetch(self.sql, sent)]

    def _row(self, row: Sequence[Any]) -> dict[str, Any]:
        read = zip(self._names, self._reading, row, strict=True)
        return {
            name: value if convert is None or value is None else convert(value)
            for name, convert, value in read
        }


def _sending(type_: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _reading(type_: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return type_.dialect_impl(dialect).result_processor(dialect, None)
