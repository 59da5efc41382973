"""SQLAlchemy's SQLite dialect, with dates that keep their meaning when they have a time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.dialects.sqlite.base import DATETIME
from sqlalchemy.engine import Dialect


class UtcDateTime(DATETIME):
    """SQLite stores text without an offset: SQLAlchemy drops it, so the value must be UTC first."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        spelled = super().bind_processor(dialect)
        if spelled is None or not self.timezone:
            return spelled

        def process(value: datetime | None) -> Any:
            return spelled(value.astimezone(UTC) if value and value.tzinfo else value)

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Aware, as PostgreSQL answers, so that the same code can compare it with what time it is."""
        read = super().result_processor(dialect, coltype)
        if read is None or not self.timezone:
            return read

        def process(stored: str | None) -> datetime | None:
            value: datetime | None = read(stored)
            if value is None:
                return None
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)

        return process


def keep_instants(dialect: Dialect) -> None:
    """Change this one dialect object, before it compiles anything."""
    dialect.colspecs = {**dialect.colspecs, DateTime: UtcDateTime}
