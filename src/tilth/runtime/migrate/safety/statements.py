"""SQL that a revision executes as text: what it is, as far as its words tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alembic.operations import ops

from tilth.runtime.migrate.safety.risks import Looked, Risk
from tilth.runtime.migrate.safety.rows import told

_NAME = r'(?:(?:"[^"]+"|\w+)\.)?(?:"[^"]+"|\w+)'
_DATA = re.compile(rf"^(?:UPDATE(?:\s+ONLY)?|DELETE\s+FROM)\s+({_NAME})", re.IGNORECASE)
_VALIDATE = re.compile(r"VALIDATE\s+CONSTRAINT\s+(\"[^\"]+\"|\w+)", re.IGNORECASE)
_NOT_VALID = re.compile(
    r"ADD\s+CONSTRAINT\s+(\"[^\"]+\"|\w+).*NOT\s+VALID", re.IGNORECASE | re.DOTALL
)
_CASCADE = re.compile(r"^(TRUNCATE\b.*|DROP\s+\w+\b.*)\bCASCADE\b", re.IGNORECASE | re.DOTALL)
_FATAL = re.compile(r"^(DROP\s+DATABASE|DROP\s+SCHEMA|TRUNCATE)\b", re.IGNORECASE)
_ENUM = re.compile(
    r"^ALTER\s+TYPE\s+\S+\s+ADD\s+VALUE\b(?!.*\b(?:AFTER|BEFORE)\b)", re.IGNORECASE | re.DOTALL
)
_ENUM_RENAME = re.compile(r"^ALTER\s+TYPE\s+\S+\s+RENAME\s+VALUE\b", re.IGNORECASE)
_ALTER = re.compile(
    rf"^ALTER\s+TABLE\s+(?:ONLY\s+|IF\s+EXISTS\s+)*({_NAME})\s+(.*)", re.IGNORECASE | re.DOTALL
)
_CREATE_INDEX = re.compile(
    rf"^CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY).*?\bON\s+({_NAME})",
    re.IGNORECASE | re.DOTALL,
)
_CALM_ALTER = re.compile(
    r"^(RENAME|VALIDATE|SET\s*\(|RESET|ALTER\s+COLUMN\s+\S+\s+(DROP|SET)\s+DEFAULT|ALTER\s+COLUMN\s+\S+\s+DROP\s+NOT"
    r"|ADD\s+CONSTRAINT\s+\S+\s+(UNIQUE|PRIMARY\s+KEY)\s+USING|ENABLE|DISABLE|OWNER|ATTACH|DETACH)"
    r"|NOT\s+VALID",
    re.IGNORECASE,
)  # fmt: skip
_HARMLESS = re.compile(
    r"^(SELECT|INSERT|COMMENT|SET|RESET|CREATE|ALTER\s+(INDEX|SEQUENCE|TYPE|VIEW|FUNCTION)|DROP\s+"
    r"(VIEW|FUNCTION|TRIGGER|TYPE|INDEX|SEQUENCE|SCHEMA|POLICY|EXTENSION)|GRANT|REVOKE|ANALYZE|PRAGMA|WITH)\b",
    re.IGNORECASE,
)  # fmt: skip


def statement_risks(looked: Looked) -> Iterator[Risk]:
    operation = looked.operation
    if not isinstance(operation, ops.ExecuteSQLOp):
        return
    sql = plain(str(operation.sqltext))
    yield from _fatal(sql)
    yield from _data(sql, looked)
    yield from _enum(sql)
    yield from _validated(sql, looked)
    yield from _hot(sql, looked)


def plain(sql: str) -> str:
    """Without comments, and without the backslashes that keep colons from being parameters."""
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)
    return " ".join(bare.replace("\\:", ":").split())


def _fatal(sql: str) -> Iterator[Risk]:
    if _CASCADE.match(sql):
        yield Risk(
            "cascade",
            sql[:60],
            "CASCADE takes along whatever depends on it, which nobody has read.",
            "Drop what depends on it by name, before it.",
        )
    elif _FATAL.match(sql):
        yield Risk(
            "truncate", sql[:60], "everything in it would be lost.", "Delete the rows by name."
        )


def _data(sql: str, looked: Looked) -> Iterator[Risk]:
    found = _DATA.match(sql)
    if found is None:
        return
    table, schema = _split(found[1])
    count = looked.rows.count(table, schema)
    if looked.is_hot(table, schema):
        yield Risk(
            "unbatched_change",
            found[1],
            f"all of {told(count, 'row')} would be changed at once and stay locked until the end.",
            "Use backfill(), which goes in batches.",
        )


def _enum(sql: str) -> Iterator[Risk]:
    if _ENUM_RENAME.match(sql):
        yield Risk(
            "enum_rename",
            sql[:60],
            "code that runs now writes the old value and would fail.",
            "Add the new value, deploy, change the rows, and leave the old one unused.",
            "warning",
        )
    elif _ENUM.match(sql):
        yield Risk(
            "enum_order",
            sql[:60],
            "the value is put behind all others, which is how it will sort.",
            "Say where: ADD VALUE … AFTER …",
            "warning",
        )


def _validated(sql: str, looked: Looked) -> Iterator[Risk]:
    found = _VALIDATE.search(sql)
    if found is not None and found[1].strip('"') in looked.sofar.unproven:
        yield Risk(
            "validate_at_once",
            found[1],
            "is validated in the transaction that adds it, whose lock lasts as long.",
            "VALIDATE CONSTRAINT in the next revision.",
        )


def _hot(sql: str, looked: Looked) -> Iterator[Risk]:
    index = _CREATE_INDEX.match(sql)
    if index is not None and looked.is_hot(*_split(index[1])):
        yield Risk(
            "index_locks",
            index[1],
            "the index would hold up every writer while it is built.",
            "CREATE INDEX CONCURRENTLY, in op.get_context().autocommit_block().",
        )
    alter = _ALTER.match(sql)
    if alter is not None and not _CALM_ALTER.search(alter[2]) and looked.is_hot(*_split(alter[1])):
        yield Risk(
            "unknown_statement",
            sql[:60],
            "what it does to a table that is in use cannot be told from its words.",
            'Use the operations of op, or say why it is right: with assured("…"):',
        )
    known = (_HARMLESS, _ALTER, _DATA, _CASCADE, _FATAL, _CREATE_INDEX)
    if not any(each.match(sql) for each in known):
        yield Risk(
            "unknown_statement",
            sql[:60],
            "what it does cannot be told from its words.",
            'Use the operations of op, or say why it is right: with assured("…"):',
            "warning",
        )


def unproven_in(sql: str) -> str | None:
    """The constraint that it adds without looking at the rows."""
    found = _NOT_VALID.search(plain(sql))
    return found[1].strip('"') if found else None


def _split(name: str) -> tuple[str, str | None]:
    parts = [part.strip('"') for part in re.findall(r'"[^"]+"|\w+', name)]
    return parts[-1], parts[0] if len(parts) > 1 else None
