"""A table of SQLite under a new text, with its rows, indexes, triggers and views kept.

The procedure of sqlite.org/lang_altertable.html#otheralter. Foreign keys must be off before the
transaction begins: dropping a table that others refer to would delete the rows that cascade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text

from tilth.errors import CommandError
from tilth.runtime.migrate.sqlite.shape import index_shape
from tilth.runtime.migrate.sqlite.table_text import ColumnText, TableText, table_text
from tilth.runtime.migrate.sqlite.tokens import Token, is_name, quoted, tokens_of, unquoted

PREFIX = "tilth_new_"

_TABLE = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(:name)")
_AROUND = text(
    "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name COLLATE NOCASE"
    " AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid"
)
_VIEWS = text("SELECT name FROM sqlite_master WHERE type = 'view'")
_SEQUENCE = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
_KEEP_SEQUENCE = text("UPDATE sqlite_sequence SET seq = max(seq, :seq) WHERE name = :name")
_START_SEQUENCE = text(
    "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :seq"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :name)"
)
_HAS_SEQUENCES = text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An index or trigger of the table. kind: as in sqlite_master."""

    kind: str
    name: str
    sql: str


def read_table(connection: Connection, name: str) -> TableText:
    """Raises CommandError when there is none."""
    sql = connection.execute(_TABLE, {"name": name}).scalar()
    if sql is None:
        raise CommandError(f"There is no table {name}.")
    return table_text(sql)


def rebuild(
    connection: Connection,
    old: TableText,
    new: TableText,
    sources: Mapping[str, str] | None = None,
) -> None:
    """In the transaction that is open. new has the name of old.

    sources: column of new → SQL over old, for columns that are not simply taken over. A column that
    is only in new takes its default.
    Raises CommandError when foreign keys are on, rows are lost, or a view no longer works.
    """
    _require_foreign_keys_off(connection)
    name, temporary = old.name, f"{PREFIX}{old.name}"
    around = neighbours(connection, name)
    sequence = _sequence(connection, name)
    _run(connection, new.create(temporary))
    _run(connection, _copy(old, new, temporary, sources or {}))
    _require_same_rows(connection, old, new, temporary, set(sources or {}))
    _run(connection, f"DROP TABLE {quoted(name)}")
    # Else the renaming would look into every view, and into triggers that name the dropped table.
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    _run(connection, f"ALTER TABLE {quoted(temporary)} RENAME TO {quoted(name)}")
    connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
    for each in around:
        if each.kind == "trigger" or _fits(each, new):
            _run(connection, each.sql)
    if sequence is not None and "AUTOINCREMENT" in new.create(name).upper():
        for statement in (_KEEP_SEQUENCE, _START_SEQUENCE):
            connection.execute(statement, {"name": name, "seq": sequence})
    _require_views(connection)


def neighbours(connection: Connection, table: str) -> list[Neighbour]:
    rows = connection.execute(_AROUND, {"name": table})
    return [Neighbour(row.type, row.name, row.sql) for row in rows]


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _copy(old: TableText, new: TableText, temporary: str, sources: Mapping[str, str]) -> str:
    pairs = [
        (quoted(each.name), sources.get(each.name) or _kept(each.name, old))
        for each in new.columns
        if not each.is_generated
    ]
    pairs = [(name, source) for name, source in pairs if source is not None]
    rowid = _rowid(old, new)
    if rowid is not None:
        pairs.insert(0, (rowid, rowid))
    names = ", ".join(name for name, _ in pairs)
    values = ", ".join(str(source) for _, source in pairs)
    return f"INSERT INTO {quoted(temporary)} ({names}) SELECT {values} FROM {quoted(old.name)}"


def _kept(name: str, old: TableText) -> str | None:
    found = old.column(name)
    return quoted(found.name) if found is not None else None


def _rowid(old: TableText, new: TableText) -> str | None:
    """A name under which the row numbers can be kept: a text search index refers to them."""
    if not (old.has_rowid and new.has_rowid) or _is_alias(old) or _is_alias(new):
        return None
    names = {each.name.lower() for each in (*old.columns, *new.columns)}
    return next((each for each in ("rowid", "_rowid_", "oid") if each not in names), None)


def _is_alias(table: TableText) -> bool:
    """One of its columns is the row number: INTEGER PRIMARY KEY."""
    for column in table.columns:
        if column.type.upper() == "INTEGER":
            key = column.clause("primary key") or next(
                (each for each in table.constraints if each.kind == "primary key"), None
            )
            if key is not None:
                return True
    return False


def _require_foreign_keys_off(connection: Connection) -> None:
    if connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        raise CommandError(
            "Foreign keys are on, so changing a table would delete the rows that refer to it.",
            "Run it through tilth migrate, or turn them off before the transaction begins.",
        )


def _require_same_rows(
    connection: Connection, old: TableText, new: TableText, temporary: str, recalculated: set[str]
) -> None:
    """As many as before, and in each column that keeps its type the same values."""
    counts = [
        _value(connection, f"SELECT count(*) FROM {quoted(t)}") for t in (old.name, temporary)
    ]
    if counts[0] != counts[1]:
        raise CommandError(f"{old.name} has {counts[0]} rows, and its copy would have {counts[1]}.")
    same = [
        each.name
        for each in new.columns
        if (before := old.column(each.name)) is not None
        and before.type.upper() == each.type.upper()
        and each.name not in recalculated
        and not (each.is_generated or before.is_generated)
    ]
    rowid = _rowid(old, new) or (_alias_name(old) if _alias_name(old) == _alias_name(new) else None)
    if same and rowid is not None:
        differs = " OR ".join(f"a.{quoted(each)} IS NOT b.{quoted(each)}" for each in same)
        statement = (
            f"SELECT count(*) FROM {quoted(old.name)} a"
            f" LEFT JOIN {quoted(temporary)} b ON a.{rowid} = b.{rowid} WHERE {differs}"
        )
        lost = _value(connection, statement)
        if lost:
            raise CommandError(f"{lost} rows of {old.name} would not be what they were.")


def _alias_name(table: TableText) -> str | None:
    found = next((c for c in table.columns if c.clause("primary key")), None)
    return quoted(found.name) if found is not None and found.type.upper() == "INTEGER" else None


def _value(connection: Connection, statement: str) -> int:
    return int(connection.exec_driver_sql(statement).scalar() or 0)


def _sequence(connection: Connection, name: str) -> int | None:
    if connection.execute(_HAS_SEQUENCES).scalar() is None:
        return None
    return connection.execute(_SEQUENCE, {"name": name}).scalar()


def _fits(index: Neighbour, table: TableText) -> bool:
    """An index goes with a column it is on, as it does on PostgreSQL."""
    columns = {each.name.lower() for each in table.columns}
    return all(each.lower() in columns for each in index_shape(index.name, index.sql).columns)


def _require_views(connection: Connection) -> None:
    for (name,) in connection.execute(_VIEWS).all():
        connection.exec_driver_sql(f"SELECT * FROM {quoted(name)} LIMIT 0")  # fails if it is broken


def mentions(sql: str, names: Sequence[str]) -> bool:
    """One of the names stands in the SQL."""
    wanted = {name.lower() for name in names}
    return any(
        unquoted(token).lower() in wanted
        for token in tokens_of(sql)
        if token.kind in ("word", "name")
    )


def with_tail(table: TableText, options: str) -> TableText:
    """Under other options; AUTOINCREMENT is one, although it stands in a column."""
    words = options.lower().replace(",", " ").split()
    tails = [
        tail for tail, word in (("WITHOUT ROWID", "rowid"), ("STRICT", "strict")) if word in words
    ]
    counting = _with_key_in_column(table) if "autoincrement" in words else table
    columns = tuple(_counting(each, "autoincrement" in words) for each in counting.columns)
    return replace(counting, columns=columns, tail=", ".join(tails))


def _with_key_in_column(table: TableText) -> TableText:
    """The only place where SQLite takes AUTOINCREMENT."""
    key = next((each for each in table.constraints if each.kind == "primary key"), None)
    names = [token for token in key.tokens if is_name(token)][2:] if key else []
    if key is None or len(names) != 1:
        return table
    clause = replace(key, tokens=key.tokens[:2])
    columns = tuple(
        replace(each, clauses=(*each.clauses, clause)) if each.name == unquoted(names[0]) else each
        for each in table.columns
    )
    constraints = tuple(each for each in table.constraints if each is not key)
    return replace(table, columns=columns, constraints=constraints)


def _counting(column: ColumnText, is_counting: bool) -> ColumnText:
    key = column.clause("primary key")
    if key is None:
        return column
    kept = tuple(token for token in key.tokens if token.word != "AUTOINCREMENT")
    if is_counting:
        kept = (*kept, Token("word", "AUTOINCREMENT", is_apart=True))
    clauses = tuple(replace(each, tokens=kept) if each is key else each for each in column.clauses)
    return replace(column, clauses=clauses)
