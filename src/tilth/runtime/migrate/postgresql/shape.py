"""A PostgreSQL database → its shape, in the words with which the server tells of itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from tilth.runtime.migrate.shape import (
    ColumnShape,
    ConstraintKind,
    ConstraintShape,
    IndexShape,
    Shape,
    TableShape,
)

Say = Callable[[str], str]

_QUOTED = text("SELECT quote_ident(:name)")
# A name is told without its schema when the search path leads there, so the caller sets the path.
_TABLES = text("""
    SELECT c.oid, n.nspname AS schema, c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
           array_to_string(c.reloptions, ', ') AS options, c.relpersistence AS persistence,
           pg_get_partkeydef(c.oid) AS partitions
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2, 3""")
_COLUMNS = text("""
    SELECT a.attrelid AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
           NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS expression,
           EXISTS (SELECT 1 FROM pg_depend o JOIN pg_class q ON q.oid = o.objid
                   WHERE o.refobjid = a.attrelid AND o.refobjsubid = a.attnum AND o.deptype = 'a'
                     AND o.classid = 'pg_class'::regclass AND q.relkind = 'S') AS is_serial,
           a.attgenerated AS generated, a.attidentity AS identity,
           CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(l.collname) END AS collation,
           col_description(a.attrelid, a.attnum) AS comment,
           (SELECT format('start %s by %s min %s max %s%s', s.seqstart, s.seqincrement, s.seqmin,
                          s.seqmax, CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END)
            FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid
            WHERE p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i'
              AND p.classid = 'pg_class'::regclass LIMIT 1) AS sequence
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = ANY(:tables) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum""")
_CONSTRAINTS = text("""
    SELECT c.conrelid AS oid, c.conname AS name, c.contype AS kind, c.convalidated AS is_valid,
           pg_get_constraintdef(c.oid) AS definition,
           ARRAY(SELECT a.attname FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
                 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
                 ORDER BY k.place) AS columns,
           rn.nspname AS target_schema, r.relname AS target
    FROM pg_constraint c
    LEFT JOIN pg_class r ON r.oid = c.confrelid LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
    WHERE c.conrelid = ANY(:tables) AND c.contype IN ('p', 'u', 'f', 'c', 'x')
      AND c.conparentid = 0
    ORDER BY c.conname""")
_INDEXES = text("""
    SELECT i.indrelid AS oid, c.relname AS name, i.indisvalid AS is_valid, i.indisunique AS is_unique,
           substr(pg_get_indexdef(i.indexrelid),
                  strpos(pg_get_indexdef(i.indexrelid), ' USING ' || m.amname || ' (') + 1)
             AS definition,
           ARRAY(SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                 ORDER BY k.place) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE i.indrelid = ANY(:tables)
      AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.indexrelid
                      AND o.contype IN ('p', 'u', 'x'))
    ORDER BY c.relname""")
_ENUMS = text("""
    SELECT n.nspname AS schema, t.typname AS name, array_agg(e.enumlabel ORDER BY e.enumsortorder) AS labels
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE n.nspname = ANY(:schemas) GROUP BY 1, 2 ORDER BY 1, 2""")
_OTHERS = text("""
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'materialized view' END
             AS kind, n.nspname AS schema, c.relname AS name,
           CASE WHEN c.relkind = 'S' THEN '' ELSE pg_get_viewdef(c.oid) END AS definition
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('S', 'v', 'm')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
    UNION ALL
    SELECT 'trigger', n.nspname, c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND NOT t.tgisinternal
    UNION ALL
    SELECT 'function', n.nspname, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           md5(p.prosrc)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY(:schemas)
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    ORDER BY 1, 2, 3""")

KINDS: Mapping[str, ConstraintKind] = {
    "p": "primary key",
    "u": "unique",
    "f": "foreign key",
    "c": "check",
    "x": "exclude",
}
GENERATED = {"s": "stored", "v": "virtual"}
SERIAL = "serial"
IDENTITY = {"a": "always", "d": "by default"}


def postgresql_shape(connection: Connection, schemas: Mapping[str, str | None]) -> Shape:
    """schemas: name on the server → name to tell, None for the one that goes without saying."""
    named = {"schemas": list(schemas)}
    tables = connection.execute(_TABLES, named).all()
    among = {"tables": [row.oid for row in tables]}
    columns = _by_table(connection.execute(_COLUMNS, among).all())
    constraints = _by_table(connection.execute(_CONSTRAINTS, among).all())
    indexes = _by_table(connection.execute(_INDEXES, among).all())
    say = _sayer(connection, schemas)
    enums = connection.execute(_ENUMS, named).all()
    others = connection.execute(_OTHERS, named).all()
    return Shape(
        {
            _told(row, schemas): TableShape(
                _told(row, schemas),
                tuple(_column(each, say) for each in columns[row.oid]),
                tuple(_constraint(each, schemas, say) for each in constraints[row.oid]),
                tuple(_index(each, say) for each in indexes[row.oid]),
                _options(row),
                row.comment,
            )
            for row in tables
        },
        {_told(row, schemas): tuple(row.labels) for row in enums},
        {f"{row.kind} {_told(row, schemas)}": row.definition for row in others},
    )


def _sayer(connection: Connection, schemas: Mapping[str, str | None]) -> Say:
    """Text of the server with its schemas by the names that are told."""
    renamed = [(inner, told) for inner, told in schemas.items() if told and told != inner]
    pairs = [
        (f"{inner}.", f"{connection.scalar(_QUOTED, {'name': told})}.") for inner, told in renamed
    ]

    def say(text: str) -> str:
        for inner, told in pairs:
            text = text.replace(inner, told)
        return text

    return say


def _by_table(rows: Iterable[Row[Any]]) -> Mapping[int, Sequence[Row[Any]]]:
    found: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.oid].append(row)
    return found


def _told(row: Row[Any], schemas: Mapping[str, str | None]) -> str:
    schema = schemas[row.schema]
    return f"{schema}.{row.name}" if schema else str(row.name)


def _column(row: Row[Any], say: Say) -> ColumnShape:
    generated = f"{say(row.expression)} {GENERATED[row.generated]}" if row.generated else None
    identity = f"{IDENTITY[row.identity]} {row.sequence}" if row.identity else None
    return ColumnShape(
        row.name,
        say(row.type),
        row.nullable,
        _default(row, say, is_special=bool(generated or identity)),
        generated,
        identity,
        row.collation,
        row.comment,
    )


def _default(row: Row[Any], say: Say, *, is_special: bool) -> str | None:
    if is_special or row.expression is None:
        return None
    # The sequence of a renamed table keeps its name.
    is_serial = row.is_serial and row.expression.startswith("nextval(")
    return SERIAL if is_serial else say(row.expression)


def _constraint(row: Row[Any], schemas: Mapping[str, str | None], say: Say) -> ConstraintShape:
    target = None
    if row.target is not None:
        schema = schemas.get(row.target_schema, row.target_schema)
        target = f"{schema}.{row.target}" if schema else row.target
    return ConstraintShape(
        KINDS[row.kind],
        row.name,
        tuple(row.columns),
        say(row.definition).removesuffix(" NOT VALID"),
        is_valid=row.is_valid,
        target=target,
    )


def _index(row: Row[Any], say: Say) -> IndexShape:
    definition = f"{'UNIQUE ' if row.is_unique else ''}{say(row.definition)}"
    return IndexShape(row.name, definition, tuple(row.columns), row.is_unique, row.is_valid)


def _options(row: Row[Any]) -> str:
    unlogged = "unlogged" if row.persistence == "u" else ""
    parted = f"partition by {row.partitions}" if row.partitions else ""
    return " ".join(filter(None, (unlogged, parted, row.options)))
