"""A SQLite database → its shape, read from the texts that it keeps of its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count

from sqlalchemy import Connection, text

from tilth.runtime.migrate.shape import (
    ColumnShape,
    ConstraintKind,
    ConstraintShape,
    IndexShape,
    Shape,
    TableShape,
)
from tilth.runtime.migrate.sqlite.table_text import Clause, ColumnText, TableText, table_text
from tilth.runtime.migrate.sqlite.tokens import (
    Token,
    closing,
    normal,
    parts,
    tokens_of,
    unquoted,
    without_parentheses,
)

_MASTER = text(
    "SELECT type, name, tbl_name, sql FROM sqlite_master"
    " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)


def sqlite_shape(connection: Connection) -> Shape:
    rows = list(connection.execute(_MASTER))
    virtual = {row.name for row in rows if (row.sql or "").upper().startswith("CREATE VIRTUAL")}
    owned = tuple(f"{name}_" for name in virtual)
    tables: dict[str, TableShape] = {}
    others: dict[str, str] = {}
    for row in rows:
        # The tables behind a virtual table, such as those of a text search, are its own affair.
        if row.type == "table" and row.name not in virtual:
            if not (owned and row.name.startswith(owned)):
                indexes = [each for each in rows if each.type == "index" and each.sql]
                own = [each for each in indexes if each.tbl_name == row.name]
                found = [index_shape(each.name, each.sql) for each in own]
                tables[row.name] = table_shape(table_text(row.sql), found)
        elif row.type != "index":
            others[f"{row.type} {row.name}"] = normal(tokens_of(row.sql))
    return Shape(tables, {}, others)


def table_shape(table: TableText, indexes: Sequence[IndexShape] = ()) -> TableShape:
    constraints = tuple(constraints_of(table))
    key = {name for each in constraints if each.kind == "primary key" for name in each.columns}
    columns = tuple(_column(each, each.name in key, table) for each in table.columns)
    return TableShape(table.name, columns, constraints, tuple(indexes), _options(table))


def _column(column: ColumnText, in_key: bool, table: TableText) -> ColumnShape:
    default, collate = column.clause("default"), column.clause("collate")
    # SQLite allows NULL in keys other than INTEGER PRIMARY KEY; what is written counts.
    is_rowid = in_key and column.type.upper() == "INTEGER" and column.clause("primary key")
    return ColumnShape(
        column.name,
        normal(tokens_of(column.type)).replace(" ( ", "(").replace(" )", ")").replace(" , ", ", "),
        nullable=column.clause("not null") is None and not is_rowid,
        default=normal(default.tokens[1:]) if default else None,
        generated=_generated(column),
        collation=unquoted(collate.tokens[1]).upper() if collate else None,
    )


def _generated(column: ColumnText) -> str | None:
    clause = column.clause("generated")
    if clause is None:
        return None
    opening = next(i for i, token in enumerate(clause.tokens) if token.text == "(")
    end = closing(clause.tokens, opening)
    is_stored = any(token.word == "STORED" for token in clause.tokens[end:])
    expression = normal(clause.tokens[opening + 1 : end])
    return f"{expression} {'stored' if is_stored else 'virtual'}"


def constraints_of(table: TableText) -> Iterator[ConstraintShape]:
    """Those of columns too. Without a name they have the one that PostgreSQL would give them."""
    taken: Counter[str] = Counter()
    pairs = [(clause, (each.name,)) for each in table.columns for clause in each.clauses]
    for clause, columns in (*pairs, *((clause, None) for clause in table.constraints)):
        shape = constraint_shape(clause, columns, table)
        if shape is not None:
            name = clause.name or free_name(shape.name, taken)
            taken[name] += 1
            yield ConstraintShape(
                shape.kind,
                name,
                shape.columns,
                shape.definition,
                clause.name is not None,
                target=shape.target,
            )


def free_name(name: str, taken: Counter[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name}{number}" for number in count(1) if f"{name}{number}" not in taken)


def constraint_shape(
    clause: Clause, of_column: tuple[str, ...] | None, table: TableText
) -> ConstraintShape | None:
    """None for what is no constraint, such as a default. Its name is the usual one."""
    tokens = clause.tokens
    if clause.kind == "check":
        names = _named_columns(tokens, table)
        usual = f"{table.name}_{names[0]}_check" if len(names) == 1 else f"{table.name}_check"
        expression = normal(without_parentheses(tokens[1:]))
        return ConstraintShape("check", usual, names, expression)
    if clause.kind == "primary key" or clause.kind == "unique":
        return _unique(clause.kind, tokens, of_column, table)
    if clause.kind == "foreign key":
        return _foreign_key(tokens, of_column, table)
    return None


def _unique(
    kind: ConstraintKind,
    tokens: Sequence[Token],
    of_column: tuple[str, ...] | None,
    table: TableText,
) -> ConstraintShape:
    columns, rest = of_column, list(tokens[1 if kind == "unique" else 2 :])
    if columns is None:
        end = closing(rest, 0)
        columns = tuple(unquoted(part[0]) for part in parts(rest[1:end]))
        rest = rest[end + 1 :]
    # AUTOINCREMENT is an option of the table.
    more = normal([token for token in rest if token.word not in ("AUTOINCREMENT", "ASC")])
    usual = (
        f"{table.name}_pkey" if kind == "primary key" else "_".join((table.name, *columns, "key"))
    )
    return ConstraintShape(kind, usual, columns, f"{', '.join(columns)} {more}".strip())


def _foreign_key(
    tokens: Sequence[Token], of_column: tuple[str, ...] | None, table: TableText
) -> ConstraintShape:
    start = next(i for i, token in enumerate(tokens) if token.word == "REFERENCES")
    columns = of_column or _names(tokens[2:start])
    target = unquoted(tokens[start + 1])
    rest = list(tokens[start + 2 :])
    referred: tuple[str, ...] = ()
    if rest and rest[0].text == "(":
        end = closing(rest, 0)
        referred = _names(rest[: end + 1])
        rest = rest[end + 1 :]
    usual = "_".join((table.name, *columns, "fkey"))
    places = ", ".join(referred)
    definition = f"{', '.join(columns)} -> {target}({places}) {_actions(rest)}".strip()
    return ConstraintShape("foreign key", usual, columns, definition, target=target)


def _actions(rest: Sequence[Token]) -> str:
    """ON DELETE, ON UPDATE and so on, in an order of their own and without what goes without saying."""
    words = " ".join(token.text.lower() for token in rest)
    starts = ("on delete", "on update", "match", "not deferrable", "deferrable")
    for start in starts:
        words = words.replace(start, f"\n{start}")
    words = words.replace("not \ndeferrable", "not deferrable").replace("\n\n", "\n")
    kept = sorted(line.strip() for line in words.split("\n"))
    plain = ("", "on delete no action", "on update no action", "not deferrable", "match simple")
    return " ".join(each for each in kept if each not in plain)


def _names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Of a list of columns in parentheses."""
    return tuple(unquoted(part[0]) for part in parts(without_parentheses(tokens)))


def _named_columns(tokens: Sequence[Token], table: TableText) -> tuple[str, ...]:
    found = [table.column(unquoted(token)) for token in tokens if token.kind in ("word", "name")]
    return tuple(dict.fromkeys(each.name for each in found if each is not None))


def _options(table: TableText) -> str:
    clauses = [clause for column in table.columns for clause in column.clauses]
    words = {token.word for clause in clauses for token in clause.tokens}
    automatic = ["autoincrement"] if "AUTOINCREMENT" in words else []
    return " ".join(
        [*automatic, *sorted(table.tail.lower().replace(",", " , ").split(" , "))]
    ).strip()


def index_shape(name: str, sql: str) -> IndexShape:
    tokens = tokens_of(sql)
    unique = any(token.word == "UNIQUE" for token in tokens[:2])
    opening = next(i for i, token in enumerate(tokens) if token.text == "(")
    end = closing(tokens, opening)
    items = parts(tokens[opening + 1 : end])
    texts = [_item(item) for item in items]
    where = normal(tokens[end + 2 :]) if end + 1 < len(tokens) else ""
    definition = (
        f"{'unique ' if unique else ''}({', '.join(texts)}){' where ' if where else ''}{where}"
    )
    plain = tuple(unquoted(item[0]) for item in items if len(item) == 1 or item[1].word)
    return IndexShape(name, definition, plain, unique)


def _item(item: Sequence[Token]) -> str:
    words = item[:-1] if item[-1].word == "ASC" else item
    return normal(words)
