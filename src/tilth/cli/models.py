"""A database URL → the source of a file with one SQLAlchemy class for each of its tables.

Classes and relations have the names that `tilth serve URL` gives them, with two differences: a
table without a key and a bare link table become a `Table`, not a class, since SQLAlchemy cannot
map the one and needs no class for the other; and a name that Python cannot write, or that the file
already uses, is changed or gets an underscore.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlacodegen.generators import DeclarativeGenerator
from sqlacodegen.models import Model, ModelClass, RelationshipAttribute, RelationshipType
from sqlalchemy import Column, Computed, Engine, MetaData, Table, Text, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from tilth.errors import CommandError
from tilth.kernel.schema.adoption.moments import SpelledMoment
from tilth.kernel.schema.adoption.naming import named_ways
from tilth.kernel.schema.adoption.wording import class_name
from tilth.kernel.schema.types import MixedText
from tilth.kernel.store.reflect import Reflected, no_tables, reflect_database
from tilth.kernel.store.sync import explain_connection_error, sync_engine

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
    engine = sync_engine(url, read_only=True)
    try:
        reflected = reflect_database(engine, schema)
        if not reflected.metadata.tables:
            raise no_tables(schema)
        for table in reflected.metadata.tables.values():
            _make_writable(table, engine)
        source = _Writer(reflected.metadata, engine, ["nojoined"]).generate()
    except SQLAlchemyError as exc:
        raise explain_connection_error(exc, url) from exc
    finally:
        engine.dispose()
    return f"{_heading(reflected)}{_checked(source)}\n"


def _make_writable(table: Table, engine: Engine) -> None:
    """What only Tilth knows how to read becomes what a model file can say."""
    for column in table.columns:
        column.info.pop("tilth_kind", None)
        if isinstance(column.type, SpelledMoment | MixedText | NullType):
            column.type = Text()
    generated = [column for column in table.columns if _lacks_expression(column)]
    if generated:
        found = {each["name"]: each for each in inspect(engine).get_columns(table.name)}
        for column in generated:
            expression = found[column.name].get("computed", {}).get("sqltext", "NULL")
            Computed(expression)._set_parent(column)


def _lacks_expression(column: Column[Any]) -> bool:
    return column.computed is not None and not str(column.computed.sqltext)


def _heading(reflected: Reflected) -> str:
    notes = "".join(f"# {' '.join(note.split())}\n" for note in reflected.notes)
    return f'"""Models of an existing database."""\n\n{notes}'


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
