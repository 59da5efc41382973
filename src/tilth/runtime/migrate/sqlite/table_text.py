"""The CREATE TABLE text that SQLite keeps → its columns and constraints, each of them still text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tilth.runtime.migrate.sqlite.tokens import (
    Token,
    closing,
    is_name,
    parts,
    quoted,
    spelled,
    tokens_of,
    unquoted,
)

ClauseKind = Literal[
    "primary key", "unique", "check", "foreign key", "not null", "null",
    "default", "collate", "generated",
]  # fmt: skip

STARTS: dict[str, ClauseKind] = {
    "PRIMARY": "primary key",
    "UNIQUE": "unique",
    "CHECK": "check",
    "FOREIGN": "foreign key",
    "REFERENCES": "foreign key",
    "NOT": "not null",
    "NULL": "null",
    "DEFAULT": "default",
    "COLLATE": "collate",
    "GENERATED": "generated",
    "AS": "generated",
}
TABLE_STARTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass(frozen=True, slots=True)
class Clause:
    """A rule of a column or a table. name: after CONSTRAINT. tokens: what follows the name."""

    kind: ClauseKind
    name: str | None
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        named = f"CONSTRAINT {quoted(self.name)} " if self.name is not None else ""
        return named + spelled(self.tokens)


@dataclass(frozen=True, slots=True)
class ColumnText:
    name: str
    type: str
    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        return " ".join(
            filter(None, (quoted(self.name), self.type, *(each.text for each in self.clauses)))
        )

    def clause(self, kind: ClauseKind) -> Clause | None:
        return next((each for each in self.clauses if each.kind == kind), None)

    @property
    def is_generated(self) -> bool:
        return self.clause("generated") is not None


@dataclass(frozen=True, slots=True)
class TableText:
    """tail: what stands behind the parentheses, such as WITHOUT ROWID or STRICT."""

    name: str
    columns: tuple[ColumnText, ...]
    constraints: tuple[Clause, ...]
    tail: str = ""

    def create(self, name: str) -> str:
        """The statement that makes it under a name."""
        body = [*(each.text for each in self.columns), *(each.text for each in self.constraints)]
        lines = ",\n\t".join(body)
        return f"CREATE TABLE {quoted(name)} (\n\t{lines}\n){' ' if self.tail else ''}{self.tail}"

    def column(self, name: str) -> ColumnText | None:
        """SQLite takes names in any case."""
        return next((each for each in self.columns if each.name.lower() == name.lower()), None)

    @property
    def has_rowid(self) -> bool:
        return "WITHOUT" not in self.tail.upper()


def table_text(sql: str) -> TableText:
    """Of the `sql` column of sqlite_master, which SQLite has already found to be right."""
    tokens = tokens_of(sql)
    opening = next(i for i, token in enumerate(tokens) if token.text == "(")
    end = closing(tokens, opening)
    columns: list[ColumnText] = []
    constraints: list[Clause] = []
    for item in parts(tokens[opening + 1 : end]):
        if item and item[0].word in TABLE_STARTS and columns:
            # SQLite also takes constraints that no comma separates.
            constraints += _clauses(item, of_table=True)
        elif item:
            columns.append(_column(item))
    return TableText(
        unquoted(tokens[opening - 1]),
        tuple(columns),
        tuple(constraints),
        spelled(tokens[end + 1 :]),
    )


def column_text(sql: str) -> ColumnText:
    """Of one column as it stands in CREATE TABLE or behind ADD COLUMN."""
    return _column(tokens_of(sql))


def clause_text(sql: str) -> Clause:
    """Of one constraint of a table."""
    return next(iter(_clauses(tokens_of(sql), of_table=True)))


def _column(item: Sequence[Token]) -> ColumnText:
    start = next((i for i in range(1, len(item)) if _starts(item, i, of_table=False)), len(item))
    clauses = tuple(_clauses(item[start:], of_table=False))
    return ColumnText(unquoted(item[0]), spelled(item[1:start]), clauses)


def _clauses(tokens: Sequence[Token], *, of_table: bool) -> Iterator[Clause]:
    starts = [i for i in _outside(tokens) if _starts(tokens, i, of_table=of_table)]
    for start, end in zip(starts, [*starts, len(tokens)][1:], strict=True):
        piece = tokens[start:end]
        name = None
        if piece[0].word == "CONSTRAINT":
            name, piece = unquoted(piece[1]), piece[2:]
        if piece:
            yield Clause(STARTS[piece[0].word], name, tuple(piece))


def _outside(tokens: Sequence[Token]) -> Iterator[int]:
    """Positions that are in no parentheses."""
    depth = 0
    for position, token in enumerate(tokens):
        if depth == 0:
            yield position
        depth += {"(": 1, ")": -1}.get(token.text, 0)


def _starts(tokens: Sequence[Token], position: int, *, of_table: bool) -> bool:
    word = tokens[position].word
    before = tokens[position - 1].word if position else ""
    after = tokens[position + 1] if position + 1 < len(tokens) else None
    if before == "CONSTRAINT" or (position > 1 and tokens[position - 2].word == "CONSTRAINT"):
        return False
    if word == "CONSTRAINT":
        return after is not None and is_name(after)
    if of_table:
        return word in ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
    if word == "NOT":
        return after is not None and after.word == "NULL"
    if word == "NULL":
        return before not in ("NOT", "SET", "DEFAULT")
    if word == "DEFAULT":
        return before != "SET"
    if word == "AS":
        return before != "ALWAYS"
    return word in STARTS and word != "FOREIGN" and before != "DEFAULT"
