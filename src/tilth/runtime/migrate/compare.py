"""Two shapes of a database → what has to change to make the one into the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeVar

from tilth.runtime.migrate.shape import ColumnShape, ConstraintShape, IndexShape, Shape, TableShape

ChangeKind = Literal[
    "add table", "drop table", "table comment", "table options",
    "add column", "drop column", "alter column",
    "add constraint", "drop constraint", "rename constraint",
    "add index", "drop index", "rename index",
    "add enum", "drop enum", "alter enum",
]  # fmt: skip

Part = TypeVar("Part", ConstraintShape, IndexShape)


@dataclass(frozen=True, slots=True)
class Change:
    """name: of the column, constraint, index or type; of the table itself otherwise.

    parts: of an altered column, what is different. old, new: the names of a renaming.
    """

    kind: ChangeKind
    table: str
    name: str
    parts: frozenset[str] = frozenset()
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        place = self.name if self.name == self.table else f"{self.table}.{self.name}"
        if self.kind in ("add enum", "drop enum", "alter enum"):
            place = f"type {self.name}"
        detail = f" ({', '.join(sorted(self.parts))})" if self.parts else ""
        if self.kind.startswith("rename") or self.kind in ("alter enum", "alter column"):
            detail += f": {self.old} → {self.new}" if self.old or self.new else ""
        return f"{self.kind}: {place}{detail}"


def changes_between(have: Shape, want: Shape) -> list[Change]:
    """Empty when they are alike; the order of columns does not count."""
    return list(_changes(have, want))


def order_differs(have: TableShape, want: TableShape) -> bool:
    """The same columns in another order, which no database can change in place."""
    names = [each.name for each in have.columns]
    wanted = [each.name for each in want.columns]
    return names != wanted and set(names) == set(wanted)


def _changes(have: Shape, want: Shape) -> Iterator[Change]:
    for name in sorted(have.enums.keys() | want.enums.keys()):
        yield from _enum_changes(name, have.enums.get(name), want.enums.get(name))
    for name in sorted(have.tables.keys() | want.tables.keys()):
        before, after = have.tables.get(name), want.tables.get(name)
        if before is None:
            yield Change("add table", name, name)
        elif after is None:
            yield Change("drop table", name, name)
        else:
            yield from _table_changes(before, after)


def _enum_changes(
    name: str, have: tuple[str, ...] | None, want: tuple[str, ...] | None
) -> Iterator[Change]:
    if have is None:
        yield Change("add enum", "", name)
    elif want is None:
        yield Change("drop enum", "", name)
    elif have != want:
        yield Change("alter enum", "", name, old=", ".join(have), new=", ".join(want))


def _table_changes(have: TableShape, want: TableShape) -> Iterator[Change]:
    if have.comment != want.comment:
        yield Change("table comment", have.name, have.name)
    if have.options != want.options:
        yield Change("table options", have.name, have.name, old=have.options, new=want.options)
    yield from _column_changes(have, want)
    yield from _constraint_changes(have, want)
    yield from _index_changes(have, want)


def _constraint_changes(have: TableShape, want: TableShape) -> Iterator[Change]:
    gone, came, same = _matched(have.constraints, want.constraints, _constraint_key)
    yield from (Change("drop constraint", have.name, each.name) for each in gone)
    yield from (Change("add constraint", have.name, each.name) for each in came)
    for old, new in same:
        if old.is_named and new.is_named and old.name != new.name:
            yield Change("rename constraint", have.name, new.name, old=old.name, new=new.name)


def _index_changes(have: TableShape, want: TableShape) -> Iterator[Change]:
    gone, came, same = _matched(have.indexes, want.indexes, _index_key)
    yield from (Change("drop index", have.name, each.name) for each in gone)
    yield from (Change("add index", have.name, each.name) for each in came)
    for old, new in same:
        if old.name != new.name:
            yield Change("rename index", have.name, new.name, old=old.name, new=new.name)


def _column_changes(have: TableShape, want: TableShape) -> Iterator[Change]:
    for column in have.columns:
        wanted = want.column(column.name)
        if wanted is None:
            yield Change("drop column", have.name, column.name)
        elif parts := different_parts(column, wanted):
            old = "; ".join(f"{getattr(column, part)}" for part in sorted(parts))
            new = "; ".join(f"{getattr(wanted, part)}" for part in sorted(parts))
            yield Change("alter column", have.name, column.name, parts, old, new)
    for column in want.columns:
        if have.column(column.name) is None:
            yield Change("add column", want.name, column.name)


def different_parts(have: ColumnShape, want: ColumnShape) -> frozenset[str]:
    names = (each.name for each in fields(ColumnShape))
    return frozenset(name for name in names if getattr(have, name) != getattr(want, name))


def _constraint_key(constraint: ConstraintShape) -> tuple[str, str]:
    return constraint.kind, constraint.definition


def _index_key(index: IndexShape) -> tuple[str, str]:
    return "index", index.definition


def _matched(
    have: Sequence[Part], want: Sequence[Part], key: Callable[[Part], tuple[str, str]]
) -> tuple[list[Part], list[Part], list[tuple[Part, Part]]]:
    """What is gone, what came, and the pairs that say the same, equal names first."""
    gone, came, same = list(have), list(want), []
    for by_name in (True, False):
        for old in list(gone):
            fits = (new for new in came if key(old) == key(new))
            new = next((each for each in fits if not by_name or each.name == old.name), None)
            if new is not None:
                gone.remove(old)
                came.remove(new)
                same.append((old, new))
    return gone, came, same
