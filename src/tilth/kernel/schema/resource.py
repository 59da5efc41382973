"""The records of the schema: a mapped model as the world sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Alias, ColumnElement, FromClause, Table

from tilth.kernel.schema.exposure import NO_UPKEEP, Upkeep
from tilth.kernel.schema.kinds import Kind


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One value of a row.

    expression: a column of the resource's tables, or SQL over them (column_property).
    computed: the database or the ORM makes the value; it is never written.
    has_default: a value is made for it when none is given. default: it, where it is always the same.
    is_asked: the model wants a value, though its column may be NULL. refuses_null: so it does NULL.
    max_length: characters, or None.
    constraint: raises ValueError, one sentence, for a value that the model itself does not allow
        (the constraints of a SQLModel field), or None. limits: the same in the words of JSON Schema.
    """

    name: str
    expression: ColumnElement[Any]
    kind: Kind
    nullable: bool
    computed: bool = False
    has_default: bool = False
    default: Any = None
    is_asked: bool = False
    refuses_null: bool = False
    unique: bool = False
    max_length: int | None = None
    description: str | None = None
    constraint: Callable[[Any], None] | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_required(self) -> bool:
        """A new row is not made without a value for it."""
        return not self.has_default and (self.is_asked or not self.nullable)

    @property
    def takes_null(self) -> bool:
        """From a client; a row that is there may hold it all the same."""
        return self.nullable and not self.refuses_null


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """How rows of a relation's target are found.

    on: over the resource's own tables and the placeholders.
    remote: placeholder for each table of the target, so that a table joined to itself stays two tables.
    secondary: the placeholder of the link table of a many-to-many relation, or None.
    """

    on: ColumnElement[bool]
    remote: Mapping[FromClause, Alias]
    secondary: Alias | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LinkTable:
    """The table between two resources, one row per link.

    near, far: its columns that hold the key of this side and of the target, in the order of the key.
    """

    table: Table
    near: tuple[ColumnElement[Any], ...]
    far: tuple[ColumnElement[Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A named way from one resource to another.

    many: answers a list.
    single_row: the target is found by its unique key, so a LEFT JOIN cannot multiply rows.
    order: how the target's rows are ordered when many, over `join.remote`; the target's key breaks ties.
    local: field names on this side that hold the target's key (to-one by foreign key), else empty.
    remote: field names on the target that hold this side's key (to-many by foreign key, or to-one with
        the foreign key at the other side), else empty.
    links: the link table, where rows of it can be written; None otherwise.
    through: the resource that has the rows of the link table, with a policy of its own that says who
        may write them: then they are written there and not along this relation.
    """

    name: str
    target: str
    many: bool
    join: Join
    single_row: bool = False
    order: tuple[ColumnElement[Any], ...] = ()
    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    links: LinkTable | None = None
    through: str | None = None
    description: str | None = None

    @property
    def linkable(self) -> LinkTable | None:
        """The link table whose rows are written along this relation."""
        return self.links if self.through is None else None


@dataclass(frozen=True, slots=True, eq=False)
class ToOne:
    """Fields that together refer to a row of another resource, by a relation or by a foreign key alone.

    ways: relations, of which one has to lead to the row. They are several where a foreign key leads
        to a table of which no resource has all rows.
    """

    local: tuple[str, ...]
    ways: tuple[Relation, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One model as the world sees it.

    name: in URLs, plural and hyphenated: "invoice-lines".
    title: the class name: "InvoiceLine".
    tables: the mapped tables, the most general first; several only for joined inheritance.
    links: links[i] joins tables[i + 1].
    criterion: which rows of the tables are this class (single-table inheritance), or None.
    key: names of the fields that identify a row, in primary key order; empty for a view or a table
        without a key, which can be listed but not addressed.
    search: names of the fields that `q=` looks into.
    references: everything on which a row can refer to a row of a resource.
    upkeep: the fields that the server keeps; criterion leaves out rows that count as deleted.
    """

    name: str
    title: str
    model: type
    tables: tuple[FromClause, ...]
    fields: Mapping[str, Field]
    relations: Mapping[str, Relation]
    key: tuple[str, ...]
    links: tuple[ColumnElement[bool], ...] = ()
    criterion: ColumnElement[bool] | None = None
    search: tuple[str, ...] = ()
    references: tuple[ToOne, ...] = ()
    upkeep: Upkeep = NO_UPKEEP
    description: str | None = None


Schema = Mapping[str, Resource]
"""Every resource by name; frozen when the application starts."""
