"""Every way in which models can differ from tables is found, written, made and undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    MetaData,
    Numeric,
    PickleType,
    PrimaryKeyConstraint,
    Sequence,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from tilth.errors import CommandError
from tilth.runtime.migrate.compare import changes_between

Trying = Callable[..., Any]
BOTH = ("sqlite", "postgresql")


def hero(*more: Any, key: bool = True, **options: Any) -> MetaData:
    """The table hero with a key and these, beside the table team."""
    metadata = MetaData()
    Table("team", metadata, Column("id", Integer, primary_key=True))
    first = [Column("id", Integer, primary_key=True)] if key else []
    Table("hero", metadata, *first, *more, **options)
    return metadata


def mood(*values: str) -> MetaData:
    return hero(Column("mood", Enum(*values, name="mood", create_constraint=True)))


def reference(**options: Any) -> MetaData:
    return hero(Column("team_id", Integer, ForeignKey("team.id", **options)))


def index(*parts: Any, **options: Any) -> MetaData:
    return hero(Column("name", String), Column("age", Integer), Index("ix", *parts, **options))


def where(condition: str) -> MetaData:
    return index("age", sqlite_where=text(condition), postgresql_where=text(condition))


# What changes, the models before and after, and on which database it exists.
CASES: list[tuple[str, Callable[[], MetaData], Callable[[], MetaData], tuple[str, ...]]] = [
    ("enum value", lambda: mood("a", "c"), lambda: mood("a", "b", "c"), BOTH),
    ("enum value gone", lambda: mood("a", "b", "c"), lambda: mood("a", "c"), BOTH),
    (
        "check body",
        lambda: hero(Column("age", Integer), CheckConstraint("age > 0", name="ck")),
        lambda: hero(Column("age", Integer), CheckConstraint("age > 17", name="ck")),
        BOTH,
    ),
    (
        "primary key",
        lambda: hero(Column("a", Integer), Column("b", Integer), PrimaryKeyConstraint("a"), key=False),
        lambda: hero(
            Column("a", Integer), Column("b", Integer), PrimaryKeyConstraint("a", "b"), key=False
        ),
        BOTH,
    ),
    (
        "computed expression",
        lambda: hero(Column("age", Integer), Column("x", Integer, Computed("age * 2", persisted=True))),
        lambda: hero(Column("age", Integer), Column("x", Integer, Computed("age * 3", persisted=True))),
        BOTH,
    ),
    ("index condition", lambda: where("age > 1"), lambda: where("age > 2"), BOTH),
    ("index expression", lambda: index(text("lower(name)")), lambda: index(text("upper(name)")), BOTH),
    ("index order", lambda: index("age"), lambda: index(text("age DESC")), BOTH),
    ("index uniqueness", lambda: index("age"), lambda: index("age", unique=True), BOTH),
    (
        "index operator class",
        lambda: index("name"),
        lambda: index("name", postgresql_ops={"name": "text_pattern_ops"}),
        ("postgresql",),
    ),
    ("index method", lambda: index("age"), lambda: index("age", postgresql_using="hash"), ("postgresql",)),
    (
        "server default",
        lambda: hero(Column("name", String, server_default="a")),
        lambda: hero(Column("name", String, server_default="b:c % d")),
        BOTH,
    ),
    (
        "default that is a function",
        lambda: hero(Column("at", DateTime(timezone=True))),
        lambda: hero(Column("at", DateTime(timezone=True), server_default=func.now())),
        BOTH,
    ),
    (
        "column comment",
        lambda: hero(Column("age", Integer, comment="in years")),
        lambda: hero(Column("age", Integer, comment="it's in days")),
        ("postgresql",),
    ),
    ("table comment", lambda: hero(comment="a"), lambda: hero(comment=None), ("postgresql",)),
    (
        "identity",
        lambda: hero(Column("n", Integer, Identity(start=1))),
        lambda: hero(Column("n", Integer, Identity(start=1, always=True))),
        ("postgresql",),
    ),
    ("on delete", lambda: reference(), lambda: reference(ondelete="CASCADE"), BOTH),
    ("on update", lambda: reference(), lambda: reference(onupdate="SET NULL"), BOTH),
    (
        "deferrable",
        lambda: reference(),
        lambda: reference(deferrable=True, initially="DEFERRED"),
        BOTH,
    ),
    (
        "nullability",
        lambda: hero(Column("age", Integer)),
        lambda: hero(Column("age", Integer, nullable=False)),
        BOTH,
    ),
    (
        "nullability gone",
        lambda: hero(Column("age", Integer, nullable=False)),
        lambda: hero(Column("age", Integer)),
        BOTH,
    ),
    ("length", lambda: hero(Column("n", String(20))), lambda: hero(Column("n", String(40))), BOTH),
    ("scale", lambda: hero(Column("n", Numeric(9, 2))), lambda: hero(Column("n", Numeric(9, 4))), BOTH),
    ("type", lambda: hero(Column("n", String)), lambda: hero(Column("n", Integer)), BOTH),
    (
        "collation",
        lambda: hero(Column("n", String)),
        lambda: hero(Column("n", String(collation="NOCASE"))),
        ("sqlite",),
    ),
    (
        "collation",
        lambda: hero(Column("n", String)),
        lambda: hero(Column("n", String(collation="C"))),
        ("postgresql",),
    ),
    (
        "unique constraint",
        lambda: hero(Column("age", Integer)),
        lambda: hero(Column("age", Integer), UniqueConstraint("age", name="uq")),
        BOTH,
    ),
    (
        "unnamed constraints",
        lambda: hero(Column("age", Integer, CheckConstraint("age > 1"), CheckConstraint("age < 9"))),
        lambda: hero(Column("age", Integer, CheckConstraint("age > 1"), unique=True)),
        BOTH,
    ),
    (
        "name of a constraint",
        lambda: hero(Column("age", Integer), UniqueConstraint("age", name="uq_a")),
        lambda: hero(Column("age", Integer), UniqueConstraint("age", name="uq_b")),
        BOTH,
    ),
    ("autoincrement", lambda: hero(), lambda: hero(sqlite_autoincrement=True), ("sqlite",)),
    ("strict", lambda: hero(), lambda: hero(sqlite_strict=True), ("sqlite",)),
]  # fmt: skip
ON_EACH = [
    pytest.param(before, after, f"{database}_url", id=f"{name}-{database}")
    for name, before, after, databases in CASES
    for database in databases
]


@pytest.mark.parametrize(("before", "after", "url"), ON_EACH)
def test_a_difference_is_found_made_and_undone(
    before: Callable[[], MetaData],
    after: Callable[[], MetaData],
    url: str,
    request: pytest.FixtureRequest,
    trying: Trying,
) -> None:
    address = request.getfixturevalue(url.replace("postgresql", "postgres"))
    first = trying(address, before())
    first.new()
    first.up()
    shape = first.shape
    second = first.with_models(after())

    changes = second.new(drops=("type mood",))
    second.up(assured="a test")

    assert changes
    assert second.remaining() == []
    assert changes_between(second.shape, shape)
    second.down(first.history.scripts[0].revision)
    assert changes_between(second.shape, shape) == []


def test_no_difference_writes_nothing(database_url: str, trying: Trying) -> None:
    tried = trying(database_url, hero(Column("age", Integer, server_default="1")))
    tried.new()

    assert tried.new() == []
    assert len(tried.history.scripts) == 1


def test_a_type_that_sqlalchemy_makes_up_is_what_it_is_on_each(
    database_url: str, trying: Trying
) -> None:
    tried = trying(
        database_url,
        hero(
            Column("lasts", Interval),
            Column("since", Interval(native=False)),
            Column("kept", PickleType),
        ),
    )

    tried.new()

    assert tried.remaining() == []


def test_a_key_that_an_own_sequence_numbers_has_no_other(postgres_url: str, trying: Trying) -> None:
    """SQLite has no sequences."""
    metadata = MetaData()
    numbers = Sequence("hero numbers", metadata=metadata)
    Table("hero", metadata, Column("id", Integer, numbers, primary_key=True))
    tried = trying(postgres_url, metadata)
    tried.new()
    tried.up()

    assert tried.remaining() == []
    assert tried.rows("SELECT nextval('\"hero numbers\"')") == [(1,)]
    tried.down()
    assert dict(tried.shape.others) == {}


def test_a_renamed_column_keeps_its_values(database_url: str, trying: Trying) -> None:
    tried = trying(database_url, hero(Column("nick", String), Index("ix_nick", "nick")))
    tried.new()
    tried.up()
    tried.run("INSERT INTO hero (id, nick) VALUES (1, 'Bat')")
    renamed = tried.with_models(hero(Column("alias", String), Index("ix_nick", "alias")))

    changes = renamed.new(renames=["hero.nick:alias"])
    renamed.up()

    assert changes == ["rename: hero.nick → alias"]
    assert renamed.rows("SELECT alias FROM hero") == [("Bat",)]


def test_a_renamed_table_keeps_its_rows_and_references(database_url: str, trying: Trying) -> None:
    tried = trying(database_url, reference(ondelete="CASCADE"))
    tried.new()
    tried.up()
    tried.run("INSERT INTO team (id) VALUES (1)", "INSERT INTO hero (id, team_id) VALUES (1, 1)")
    metadata = MetaData()
    Table("crew", metadata, Column("id", Integer, primary_key=True))
    key = ForeignKey("crew.id", ondelete="CASCADE")
    Table(
        "hero", metadata, Column("id", Integer, primary_key=True), Column("team_id", Integer, key)
    )
    renamed = tried.with_models(metadata)

    renamed.new(renames=["team:crew"])
    renamed.up()

    assert renamed.remaining() == []
    assert renamed.rows(
        "SELECT hero.team_id, crew.id FROM hero JOIN crew ON crew.id = team_id"
    ) == [(1, 1)]


def test_a_column_is_never_dropped_in_silence(database_url: str, trying: Trying) -> None:
    tried = trying(database_url, hero(Column("nick", String)))
    tried.new()
    other = tried.with_models(hero(Column("alias", String)))

    with pytest.raises(CommandError) as refused:
        other.new()

    assert "hero.nick" in refused.value.message
    assert str(refused.value.hint).splitlines()[1:] == [
        '    tilth migrate new -m "…" --rename hero.nick:alias',
        "    hero.nick: --rename hero.nick:alias  or  --drop hero.nick",
    ]
    assert len(other.history.scripts) == 1


def test_names_that_are_not_alike_are_offered_and_the_command_line_does_it(
    database_url: str, trying: Trying
) -> None:
    tried = trying(database_url, hero(Column("nick", String), Column("note", String)))
    tried.new()
    moved = hero(Column("size", Integer), Column("handle", Text), Column("notes", String))
    other = tried.with_models(moved)

    with pytest.raises(CommandError) as refused:
        other.new()

    line = str(refused.value.hint).splitlines()[1]
    words = line.partition("…")[2].split()[1:]
    assert words[::2] == ["--rename", "--rename"]
    assert "hero.note:notes" in words
    assert "--rename hero.nick:handle" in str(refused.value.hint)
    other.new(renames=words[1::2])
    assert other.remaining() == []


def test_tables_of_schemas_may_refer_to_each_other(postgres_url: str, trying: Trying) -> None:
    """SQLite has no schemas."""
    metadata = MetaData()
    kinds = Enum("a", "b", name="kind", schema="Shop two")
    Table("crew", metadata, Column("id", Integer, primary_key=True), schema="Shop two")
    Table(
        "hero",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("crew_id", ForeignKey("Shop two.crew.id")),
        Column("mentor_id", ForeignKey("people.hero.id")),
        Column("kind", kinds, server_default="a"),
        Index("ix_kind", "id", postgresql_where=text("kind = 'a'")),
        schema="people",
    )
    tried = trying(postgres_url, metadata)

    tried.new()

    assert tried.remaining() == []


def test_a_table_in_a_schema_is_renamed(postgres_url: str, trying: Trying) -> None:
    """SQLite has no schemas."""
    old, new = MetaData(), MetaData()
    Table("crew", old, Column("id", Integer, primary_key=True), schema="shop")
    Table("staff", new, Column("id", Integer, primary_key=True), schema="shop")
    tried = trying(postgres_url, old)
    tried.new()
    other = tried.with_models(new)

    with pytest.raises(CommandError, match=r"shop\.crew") as refused:
        other.new()
    other.new(renames=["shop.crew:shop.staff"])

    assert "--rename shop.crew:shop.staff\n" in str(refused.value.hint)
    assert other.remaining() == []


def test_a_required_column_needs_a_value_for_the_rows_there_are(
    database_url: str, trying: Trying
) -> None:
    tried = trying(database_url, hero())
    tried.new()
    tried.up()
    tried.run("INSERT INTO hero (id) VALUES (1)")
    wanted = tried.with_models(hero(Column("kind", String, nullable=False)))

    with pytest.raises(CommandError, match=r"hero.kind is required"):
        wanted.new()
    wanted.new(fills={"hero.kind": "it's"})
    wanted.up()

    assert wanted.remaining() == []
    assert wanted.rows("SELECT kind FROM hero") == [("it's",)]


@pytest.mark.parametrize(
    ("rename", "said"),
    [
        ("hero.nik:alias", "Did you mean nick?"),
        ("hero.nick:alais", "Did you mean alias?"),
        ("hro:heroes", "Did you mean hero?"),
        ("hero.nick", "Write hero.nick:nickname"),
    ],
)
def test_a_renaming_that_cannot_be_is_refused(
    rename: str, said: str, sqlite_url: str, trying: Trying
) -> None:
    """Names are looked up in the same way on both databases."""
    tried = trying(sqlite_url, hero(Column("nick", String)))
    tried.new()

    with pytest.raises(CommandError) as refused:
        tried.with_models(hero(Column("alias", String))).new(renames=[rename])

    assert said in str(refused.value.hint)
