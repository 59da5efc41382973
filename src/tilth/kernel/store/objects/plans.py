"""EXPLAIN as an expression, so that values stay parameters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement


class Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, asked: Select[Any], *, analyze: bool) -> None:
        self.asked, self.analyze = asked, analyze


@compiles(Explain, "sqlite")
def explain_on_sqlite(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.asked, **options)}"


@compiles(Explain, "mariadb")
def explain_on_mariadb(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    words = "ANALYZE FORMAT=JSON" if element.analyze else "EXPLAIN FORMAT=JSON"
    return f"{words} {compiler.process(element.asked, **options)}"


@compiles(Explain, "postgresql")
def explain_on_postgresql(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    words = "EXPLAIN (ANALYZE, BUFFERS)" if element.analyze else "EXPLAIN"
    return f"{words} {compiler.process(element.asked, **options)}"
