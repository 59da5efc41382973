"""Named types of PostgreSQL that have other values than before → steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tilth.runtime.migrate.compare import Change
from tilth.runtime.migrate.writing.columns import executes
from tilth.runtime.migrate.writing.render import Renderer
from tilth.runtime.migrate.writing.steps import Sides, Step

Quote = Callable[[str], str]


def enum_steps(change: Change, sides: Sides, render: Renderer) -> Iterator[Step]:
    """A new type is made with the column that needs it, so only its end has to be written."""
    quote = render.dialect.identifier_preparer.quote
    name = ".".join(quote(part) for part in change.name.split("."))
    have, want = sides.have.enums.get(change.name, ()), sides.want.enums.get(change.name, ())
    if change.kind == "add enum":
        yield Step(1, "pass", executes(f"DROP TYPE {name}"))
    elif change.kind == "drop enum":
        yield Step(990_000, executes(f"DROP TYPE {name}"), _create(name, have), "contract")
    elif _only_adds(have, want):
        yield Step(
            0, _add_values(name, have, want), _swap(change, name, have, sides, quote), "values"
        )
    else:
        up = _swap(change, name, want, sides, quote)
        yield Step(2, up, _swap(change, name, have, sides, quote), loses=f"type {change.name}")


def _create(name: str, values: Sequence[str]) -> str:
    listed = ", ".join(map(_literal, values))
    return executes(f"CREATE TYPE {name} AS ENUM ({listed})")


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _only_adds(have: Sequence[str], want: Sequence[str]) -> bool:
    return [each for each in want if each in have] == list(have)


def _add_values(name: str, have: Sequence[str], want: Sequence[str]) -> str:
    """Each behind the one it follows; a value cannot be used in the transaction that adds it."""
    there = list(have)
    lines = []
    for position, value in enumerate(want):
        if value in there:
            continue
        place = (
            f"AFTER {_literal(want[position - 1])}" if position else f"BEFORE {_literal(there[0])}"
        )
        lines.append(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {_literal(value)} {place}")
        there.insert(position, value)
    return executes(*lines)


def _swap(change: Change, name: str, values: Sequence[str], sides: Sides, quote: Quote) -> str:
    """Another type takes its place; rows with a value that it lacks make it fail."""
    listed = ", ".join(map(_literal, values))
    aside = quote(f"{change.name.rpartition('.')[2]}_old")
    schema = name.rpartition(".")[0]
    there = f"{schema}.{aside}" if schema else aside
    lines = [f"ALTER TYPE {name} RENAME TO {aside}", f"CREATE TYPE {name} AS ENUM ({listed})"]
    for table, column, default, dims in _columns(change.name, sides):
        place = ".".join(quote(part) for part in table.split("."))
        part = f"ALTER TABLE {place} ALTER COLUMN {quote(column)}"
        if default is not None:
            lines.append(f"{part} DROP DEFAULT")
        new = f"{name}{dims}"
        lines.append(f"{part} TYPE {new} USING {quote(column)}::text{dims}::{new}")
        if default is not None:
            lines.append(f"{part} SET DEFAULT {default}")
    lines.append(f"DROP TYPE {there}")
    return executes(*lines)


def _columns(enum: str, sides: Sides) -> Iterator[tuple[str, str, str | None, str]]:
    """Those that are of the type before and after, and whether they are arrays of it."""
    for name, table in sides.have.tables.items():
        wanted = sides.want.tables.get(name)
        for column in table.columns:
            after = wanted.column(column.name) if wanted else None
            for dims in ("", "[]"):
                if after and _plain(column.type) == _plain(after.type) == f"{enum}{dims}":
                    yield name, column.name, column.default, dims


def _plain(type_: str) -> str:
    return type_.replace('"', "")
