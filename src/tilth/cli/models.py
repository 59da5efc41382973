"""A database URL → the source of a file with one SQLAlchemy class for each of its tables.

Classes and relations have the names that `tilth serve URL` gives them, with two differences: a
table without a key and a bare link table become a `Table`, not a class, since SQLAlchemy cannot
map the one and needs no class for the other; and a name that Python cannot write, or that the file
already uses, is changed or gets an underscore.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from warnings import catch_warnings, simplefilter

from sqlacodegen.generators import DeclarativeGenerator
from sqlacodegen.models import Model, ModelClass, RelationshipAttribute, RelationshipType
from sqlalchemy import (
    Column,
    Computed,
    Engine,
    Index,
    Inspector,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
)
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.types import NullType

from tilth.errors import CommandError
from tilth.kernel.schema.adoption.moments import SpelledMoment
from tilth.kernel.schema.adoption.naming import named_ways
from tilth.kernel.schema.adoption.wording import class_name
from tilth.kernel.schema.types import MixedText
from tilth.kernel.store.reflect import no_tables, reflect_database
from tilth.kernel.store.sync import existing_engine, explain_connection_error

Place = tuple[Table, str, frozenset[Column[Any]]]
"""Whose relation, in which direction, over which columns of the table with the foreign key."""

_RESERVED = frozenset(["registry", "metadata", "type_annotation_map"])

_DIRECTIONS: Mapping[RelationshipType, str] = {
    RelationshipType.MANY_TO_ONE: "forward",
    RelationshipType.ONE_TO_MANY: "back",
    RelationshipType.MANY_TO_MANY: "through",
}


def write_models(url: str, schema: str | None = None) -> str:
    """Python source, ready to be written to a file.

    schema: of PostgreSQL, None for the first of the search path.
    Raises CommandError when the database cannot be read, SetupError when the URL is not one.
    """
    engine = existing_engine(url)
    try:
        reflected = reflect_database(engine, schema)
        if not reflected.metadata.tables:
            raise no_tables(schema)
        notes = list(reflected.notes)
        for table in reflected.metadata.tables.values():
            _make_writable(table, engine)
            notes += _add_indexes(table, inspect(engine))
        source = _Writer(reflected.metadata, engine, ["nojoined"]).generate()
    except SQLAlchemyError as exc:
        raise explain_connection_error(exc, url) from exc
    finally:
        engine.dispose()
    return f"{_heading(notes)}{_checked(source)}\n"


def _make_writable(table: Table, engine: Engine) -> None:
    """What only Tilth knows how to read becomes what a model file can say."""
    for column in table.columns:
        column.info.pop("tilth_kind", None)
        if isinstance(column.type, SpelledMoment | MixedText | NullType):
            column.type = Text()
        if engine.dialect.name == "sqlite" and column.autoincrement is True:
            # SQLite numbers rows by itself only where the type is spelled INTEGER.
            column.type = Integer()
    generated = [column for column in table.columns if _lacks_expression(column)]
    if generated:
        found = {each["name"]: each for each in inspect(engine).get_columns(table.name)}
        for column in generated:
            expression = found[column.name].get("computed", {}).get("sqltext", "NULL")
            Computed(expression)._set_parent(column)


def _add_indexes(table: Table, inspector: Inspector) -> list[str]:
    """Those over plain columns; unique ones are constraints already. Answers what is left out."""
    with catch_warnings(record=True) as skipped:
        simplefilter("always", SAWarning)
        found = inspector.get_indexes(table.name, schema=table.schema)
    notes = [f"{table.name}: {warning.message}" for warning in skipped]
    for each in found:
        if each["unique"]:
            continue
        # An expression has no name.
        columns = [table.columns.get(name) for name in each["column_names"] if name is not None]
        known = [column for column in columns if column is not None]
        options = each.get("dialect_options", {}).values()
        is_more = any(option is not None and option != [] for option in options)
        if is_more or len(known) < len(each["column_names"]):
            notes.append(
                f"{table.name}: the index {each['name']!r} is left out: more than columns."
            )
        else:
            Index(each["name"], *known)
    return notes


def _lacks_expression(column: Column[Any]) -> bool:
    return column.computed is not None and not str(column.computed.sqltext)


def _heading(notes: Iterable[str]) -> str:
    lines = "".join(f"# {' '.join(note.split())}\n" for note in notes)
    return f'"""Models of an existing database."""\n\n{lines}'


def _checked(source: str) -> str:
    try:
        compile(source, "models.py", "exec")
    except SyntaxError as exc:
        line = source.splitlines()[(exc.lineno or 1) - 1].strip()
        raise CommandError(
            f"No model file can be written: {exc.msg} in {line!r}.",
            "Serve the database without one: tilth serve DATABASE_URL.",
        ) from exc
    return source


class _Writer(DeclarativeGenerator):
    """sqlacodegen, with the names of docs/reference/naming.md."""

    def __init__(self, metadata: MetaData, engine: Engine, options: Sequence[str]) -> None:
        super().__init__(metadata, engine, options)
        self._relations = _relation_names(metadata)
        self._imported: frozenset[str] = frozenset()

    def generate_model_name(self, model: Model, global_names: set[str]) -> None:
        """Relations may be called like classes: an annotation in quotes is looked up elsewhere."""
        self._imported = self._imported or frozenset(global_names)
        if not isinstance(model, ModelClass):
            super().generate_model_name(model, global_names)
            return
        model.name = self.find_free_name(class_name(model.table.name), global_names)
        names: set[str] = set()
        for column in model.columns:
            self.generate_column_attr_name(column, set(self._imported), names)
            names.add(column.name)
        for relation in model.relationships:
            self.generate_relationship_name(relation, set(self._imported), names)
            names.add(relation.name)

    def find_free_name(
        self, name: str, global_names: set[str], local_names: Collection[str] = ()
    ) -> str:
        """Without the names that Python and SQLAlchemy keep for themselves."""
        if name.startswith("__"):
            name = name.strip("_") or "column"
        return super().find_free_name(name, global_names | _RESERVED, local_names)

    def generate_relationship_name(
        self, relationship: RelationshipAttribute, global_names: set[str], local_names: set[str]
    ) -> None:
        name = self._relations.get(_place(relationship))
        if name is None:
            super().generate_relationship_name(relationship, global_names, local_names)
        else:
            relationship.name = self.find_free_name(name, global_names, local_names)


def _relation_names(metadata: MetaData) -> dict[Place, str]:
    names: dict[Place, str] = {}
    for each in named_ways(metadata):
        way = each.way
        # sqlacodegen remembers the foreign key, which for many-to-many is the one to the far side.
        pairs = way.far if way.link is not None else way.pairs
        held = frozenset(near if way.direction != "back" else far for near, far in pairs)
        names[way.owner, way.direction, held] = each.name
    return names


def _place(relation: RelationshipAttribute) -> Place:
    constraint = relation.constraint
    columns = frozenset(constraint.columns) if constraint is not None else frozenset()
    direction = _DIRECTIONS.get(relation.type)
    if direction is None:
        direction = "forward" if _holds_key(relation) else "back"
    return relation.source.table, direction, columns


def _holds_key(relation: RelationshipAttribute) -> bool:
    """Of a one-to-one relation. Within one table the way back is told by what is remote: the key."""
    constraint = relation.constraint
    if constraint is None or constraint.table is not relation.source.table:
        return False
    remote = {each.column for each in relation.remote_side}
    return relation.source is not relation.target or remote != set(constraint.columns)
