"""What looks like a removal and an addition, and is probably a new name."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tilth.errors import CommandError
from tilth.kit.text import sentence_list, suggest
from tilth.runtime.migrate.compare import Change
from tilth.runtime.migrate.shape import Shape, TableShape

ALIKE_TABLES = 0.5
ALIKE_COLUMNS = 0.6
OFFERED = 3
"""New names that are told of each that is gone."""


@dataclass(frozen=True, slots=True)
class Rename:
    """column: None for the table itself."""

    table: str
    old: str
    new: str
    is_column: bool = True

    @property
    def flag(self) -> str:
        """As it is said on the command line."""
        return f"{self.table}.{self.old}:{self.new}" if self.is_column else f"{self.old}:{self.new}"


def rename_from(text: str, tables: Container[str]) -> Rename:
    """ "hero.nick:nickname" or "hero:heroes", "shop.hero:shop.heroes". Raises CommandError."""
    old, colon, new = text.partition(":")
    if not (colon and old and new):
        raise CommandError(
            f"--rename {text} cannot be read.",
            "Write hero.nick:nickname for a column, hero:heroes for a table.",
        )
    table, dot, column = old.rpartition(".")
    if not dot or old in tables:
        return Rename(old, old, new, is_column=False)
    return Rename(table, column, new.removeprefix(f"{table}."))


def require_possible(rename: Rename, have: Shape, want: Shape) -> None:
    """Raises CommandError when the old name is not in the database or the new one in no model."""
    if not rename.is_column:
        _require(rename.old, have.tables, "table", "the migrations make")
        _require(rename.new, want.tables, "table", "the models have")
        return
    _require(rename.table, have.tables, "table", "the migrations make")
    wanted = want.tables.get(rename.table)
    names = [each.name for each in have.tables[rename.table].columns]
    _require(rename.old, names, "column", f"the migrations make in {rename.table}")
    new = [each.name for each in wanted.columns] if wanted else []
    _require(rename.new, new, "column", f"the models have in {rename.table}")


def _require(name: str, names: Iterable[str], what: str, where: str) -> None:
    known = list(names)
    if name not in known:
        close = suggest(name, known)
        hint = f"Did you mean {close}?" if close else f"There are: {sentence_list(known)}."
        raise CommandError(f"There is no {what} {name} that {where}.", hint)


def candidates(changes: Iterable[Change], have: Shape, want: Shape) -> Iterator[Rename]:
    """The likeliest first; each name occurs once. Tables before columns."""
    known = list(changes)
    yield from _tables(known, have, want)
    by_table: dict[str, tuple[list[str], list[str]]] = {}
    for change in known:
        if change.kind in ("drop column", "add column"):
            pair = by_table.setdefault(change.table, ([], []))
            pair[change.kind == "add column"].append(change.name)
    for table, (gone, came) in by_table.items():
        scored = [
            (likeness(have.tables[table], old, want.tables[table], new), old, new)
            for old in gone
            for new in came
        ]
        for old, new in _best(scored, ALIKE_COLUMNS):
            yield Rename(table, old, new)


def offers(changes: Iterable[Change], have: Shape, want: Shape) -> Mapping[str, Sequence[Rename]]:
    """What each that is gone may be called now, the likeliest first, also where it is not likely.

    By the name it was: "hero.nick", "hero".
    """
    known = list(changes)
    likely = {(each.table, each.old, each.new) for each in candidates(known, have, want)}
    offered: dict[str, Sequence[Rename]] = {}
    for gone in known:
        if gone.kind not in ("drop column", "drop table"):
            continue
        new = [
            each.name
            for each in known
            if each.kind == gone.kind.replace("drop", "add")
            and (gone.kind == "drop table" or each.table == gone.table)
        ]
        found = [
            Rename(gone.table, gone.name, each, is_column=gone.kind == "drop column")
            for each in new
        ]
        found.sort(
            key=lambda each: (
                (each.table, each.old, each.new) not in likely,
                -_alike_names(each.old, each.new),
            )
        )
        is_column = gone.kind == "drop column"
        offered[f"{gone.table}.{gone.name}" if is_column else gone.name] = found[:OFFERED]
    return offered


def _alike_names(old: str, new: str) -> float:
    return SequenceMatcher(None, old.lower(), new.lower()).ratio()


def _tables(changes: list[Change], have: Shape, want: Shape) -> Iterator[Rename]:
    gone = [each.name for each in changes if each.kind == "drop table"]
    came = [each.name for each in changes if each.kind == "add table"]
    scored = [
        (_alike(have.tables[old], want.tables[new]), old, new) for old in gone for new in came
    ]
    for old, new in _best(scored, ALIKE_TABLES):
        yield Rename(old, old, new, is_column=False)


def _alike(old: TableShape, new: TableShape) -> float:
    """Which part of their columns, by name and type, both have."""
    a = {(each.name, each.type) for each in old.columns}
    b = {(each.name, each.type) for each in new.columns}
    return len(a & b) / max(len(a | b), 1)


def likeness(have: TableShape, old: str, want: TableShape, new: str) -> float:
    """1 for the same type at the same place; names count where the place differs."""
    before, after = have.column(old), want.column(new)
    if before is None or after is None or before.type != after.type:
        return 0.0
    places = (
        [each.name for each in have.columns].index(old),
        [each.name for each in want.columns].index(new),
    )
    if places[0] == places[1]:
        return 1.0
    return _alike_names(old, new)


def _best(scored: list[tuple[float, str, str]], least: float) -> Iterator[tuple[str, str]]:
    used: set[tuple[str, str]] = set()
    for score, old, new in sorted(scored, key=lambda each: (-each[0], each[1], each[2])):
        if score >= least and ("old", old) not in used and ("new", new) not in used:
            used |= {("old", old), ("new", new)}
            yield old, new
