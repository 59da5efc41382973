"""The catalogue of a PostgreSQL database → what each table of one schema is made of."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    Computed,
    Connection,
    Identity,
    TableClause,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    func,
    inspect,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import DOMAIN, REGCLASS
from sqlalchemy.engine.interfaces import (
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
    ReflectedTableComment,
)
from sqlalchemy.engine.reflection import Inspector, ObjectKind, ObjectScope
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import NullType, TypeEngine

from tilth.kernel.store.catalogs.found import Catalog, FoundTable, Names, Reference, default_of

_KINDS = {"r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view"}
_VIEWS = frozenset("vm")


@dataclass(frozen=True, slots=True)
class _Listed:
    """One line of pg_class. kind: relkind. obstacle: why it cannot be read, empty if it can.

    has_heirs: selecting from it also gives the rows of tables that INHERIT from it.
    """

    name: str
    kind: str
    obstacle: str
    has_heirs: bool


def postgresql_catalog(connection: Connection, schema: str | None) -> Catalog:
    """Tables, views, materialized views and foreign tables that the role may read.

    A view is not tried out, since that may take long: one that fails is told when it is asked for.
    Partitions are read through their parent; what belongs to an extension is left out.
    schema: None for the first of the search path.
    """
    inspector = inspect(connection)
    listed = _listed(connection, schema or inspector.default_schema_name or "public")
    readable = {each.name: each for each in listed if not each.obstacle}
    notes = [
        f"{_KINDS[each.kind]} {each.name!r} is left out: {each.obstacle}."
        for each in listed
        if each.obstacle
    ]
    if not readable:
        return Catalog((), tuple(notes))
    tables, told = _tables(inspector, schema, readable)
    return Catalog(tuple(tables), (*notes, *told))


def _listed(connection: Connection, schema: str) -> list[_Listed]:
    relation = _catalog_table(
        "pg_class", "oid", "relname", "relkind", "relispartition", "relnamespace", "relispopulated"
    )
    namespace = _catalog_table("pg_namespace", "oid", "nspname")
    depend = _catalog_table("pg_depend", "classid", "objid", "deptype")
    of_extension = exists().where(
        depend.c.classid == cast(literal("pg_catalog.pg_class"), REGCLASS),
        depend.c.objid == relation.c.oid,
        depend.c.deptype == literal_column("'e'"),
    )
    kind = cast(relation.c.relkind, Text)
    heirs = _catalog_table("pg_inherits", "inhparent")
    has_heirs = and_(kind == "r", exists().where(heirs.c.inhparent == relation.c.oid))
    obstacle = case(
        (~func.has_table_privilege(relation.c.oid, "SELECT"), "no right to read it"),
        (
            ~relation.c.relispopulated,
            "it has not been filled, which REFRESH MATERIALIZED VIEW does",
        ),
        else_="",
    )
    chosen = (
        select(relation.c.relname, kind, obstacle, has_heirs)
        .join_from(relation, namespace, relation.c.relnamespace == namespace.c.oid)
        .where(
            namespace.c.nspname == schema,
            kind.in_(list(_KINDS)),
            relation.c.relispartition.is_(False),
            ~of_extension,
        )
        .order_by(cast(relation.c.relname, Text).collate("C"))
    )
    return [_Listed(*row) for row in connection.execute(chosen)]


def _catalog_table(name: str, *columns: str) -> TableClause:
    return table(name, *map(column, columns), schema="pg_catalog")


def _tables(
    inspector: Inspector, schema: str | None, listed: Mapping[str, _Listed]
) -> tuple[list[FoundTable], list[str]]:
    chosen: dict[str, Any] = {
        "schema": schema,
        "filter_names": list(listed),
        "kind": ObjectKind.ANY,
        "scope": ObjectScope.DEFAULT,
    }
    with warnings.catch_warnings():
        # They do not say in which table; _unknown does.
        warnings.simplefilter("ignore", SAWarning)
        columns = inspector.get_multi_columns(**chosen)
        keys = inspector.get_multi_pk_constraint(**chosen)
        indexes = inspector.get_multi_indexes(**chosen)
        references = inspector.get_multi_foreign_keys(**chosen)
        comments = inspector.get_multi_table_comment(**chosen)
    tables = []
    for name, each in listed.items():
        place = (schema, name)
        table = FoundTable(
            name,
            schema,
            tuple(map(_column, columns.get(place, []))),
            () if each.has_heirs else _key(keys.get(place)),
            () if each.has_heirs else tuple(_uniques(indexes.get(place, []))),
            tuple(_references(references.get(place, []), schema)),
            _comment(comments.get(place)),
            is_view=each.kind in _VIEWS,
        )
        if table.columns:
            tables.append(table)
    notes = [
        f"{each.name!r} is inherited from, and its key holds for its own rows only: "
        "rows are listed but not addressed."
        for each in listed.values()
        if each.has_heirs
    ]
    return tables, [*notes, *(note for table in tables for note in _unknown(table))]


def _unknown(table: FoundTable) -> list[str]:
    return [
        f"{table.name}.{column.name} has a type that is not known: its values are shown as text."
        for column in table.columns
        if isinstance(column.type, NullType)
    ]


def _key(found: ReflectedPrimaryKeyConstraint | None) -> Names:
    return tuple(found["constrained_columns"]) if found else ()


def _comment(found: ReflectedTableComment | None) -> str | None:
    return found["text"] if found else None


def _column(found: ReflectedColumn) -> Column[Any]:
    computed, identity = found.get("computed"), found.get("identity")
    generated: list[Computed | Identity] = []
    if computed:
        generated.append(Computed(computed["sqltext"], persisted=computed.get("persisted")))
    elif identity:
        generated.append(Identity(always=identity["always"]))
    default = None if generated else found.get("default")
    return Column(
        found["name"],
        _plain(found["type"]),
        *generated,
        nullable=found["nullable"],
        server_default=None if default is None else default_of(default),
        autoincrement=bool(identity),
        comment=found.get("comment"),
    )


def _plain(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type a domain is made of, also that of an array's items."""
    match type_:
        case DOMAIN():
            return _plain(type_.data_type)
        case ARRAY():
            return type(type_)(_plain(type_.item_type), dimensions=type_.dimensions)
    return type_


def _uniques(indexes: Sequence[ReflectedIndex]) -> Iterator[Names]:
    for index in indexes:
        is_partial = "postgresql_where" in index.get("dialect_options", {})
        names = [name for name in index["column_names"] if name is not None]
        if index["unique"] and not is_partial and len(names) == len(index["column_names"]):
            yield tuple(names)


def _references(
    found: Sequence[ReflectedForeignKeyConstraint], schema: str | None
) -> Iterator[Reference]:
    for each in found:
        name, other = each["referred_table"], each["referred_schema"]
        referred = name if other == schema else f"{other}.{name}"
        yield Reference(
            tuple(each["constrained_columns"]), referred, tuple(each["referred_columns"])
        )
