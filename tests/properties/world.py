"""A small world, random policies over it, and what a plain-Python reading of them allows.

The oracle knows nothing of SQL: a rule is also a function of (row, actor) that answers True, False
or None for unknown, and what may be read is worked out by loops over lists of dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy import Column, ColumnElement, ForeignKey, Table, and_, insert, not_, or_
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import me, public, role, signed_in
from tilth.kernel.store.sync import create_missing_tables, sync_engine

Truth = bool | None
Row = dict[str, Any]


class Base(DeclarativeBase):
    pass


labels = Table(
    "labels",
    Base.metadata,
    Column("book_id", ForeignKey("book.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    rank: Mapped[int | None]
    owner: Mapped[str | None]
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    mentor: Mapped[Author | None] = relationship(remote_side=[id], back_populates="pupils")
    pupils: Mapped[list[Author]] = relationship(back_populates="mentor")
    books: Mapped[list[Book]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    rank: Mapped[int | None]
    owner: Mapped[str | None]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author | None] = relationship(back_populates="books")
    tags: Mapped[list[Tag]] = relationship(secondary=labels, back_populates="books")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    rank: Mapped[int | None]
    owner: Mapped[str | None]
    books: Mapped[list[Book]] = relationship(secondary=labels, back_populates="tags")


MODELS: dict[str, Any] = {"authors": Author, "books": Book, "tags": Tag}
RELATIONS = {
    "authors": {"mentor": "authors", "pupils": "authors", "books": "books"},
    "books": {"author": "authors", "tags": "tags"},
    "tags": {"books": "books"},
}
TO_ONE = {("authors", "mentor"), ("books", "author")}
NAMES, OWNERS, ROLES = ["a", "b", "B", ""], ["bob", "eve"], ["a", "b", "admin"]

WORLD: dict[str, list[Row]] = {
    "authors": [
        {"id": i, "name": n, "rank": r, "owner": o, "mentor_id": m}
        for i, n, r, o, m in [
            (1, "a", 1, "bob", None),
            (2, "b", None, "eve", 1),
            (3, None, 3, None, 1),
            (4, "B", 2, "bob", 2),
            (5, "", 1, "eve", 5),
        ]
    ],
    "books": [
        {"id": i, "name": n, "rank": r, "owner": o, "author_id": a}
        for i, n, r, o, a in [
            (1, "a", 1, "bob", 1),
            (2, "b", 2, "eve", 1),
            (3, None, None, None, None),
            (4, "B", 3, "bob", 2),
            (5, "", 1, "eve", 3),
            (6, "a", 2, None, 4),
        ]
    ],
    "tags": [
        {"id": i, "name": n, "rank": r, "owner": o}
        for i, n, r, o in [(1, "a", 1, "eve"), (2, None, 2, "bob"), (3, "b", None, None)]
    ],
}
LINKS = [(1, 1), (1, 2), (2, 2), (4, 3), (5, 1), (6, 1), (6, 3)]


def related(resource: str, row: Row, relation: str) -> list[Row]:
    """The rows at the end of a relation, whoever asks."""
    if (resource, relation) in TO_ONE:
        target, key = RELATIONS[resource][relation], f"{relation}_id"
        return [other for other in WORLD[target] if other["id"] == row[key]]
    if relation == "pupils":
        return [other for other in WORLD["authors"] if other["mentor_id"] == row["id"]]
    if resource == "authors":
        return [other for other in WORLD["books"] if other["author_id"] == row["id"]]
    mine, theirs = (0, 1) if resource == "books" else (1, 0)
    ids = {link[theirs] for link in LINKS if link[mine] == row["id"]}
    return [other for other in WORLD[RELATIONS[resource][relation]] if other["id"] in ids]


@dataclass(frozen=True)
class Both:
    """A rule twice: as SQL for Tilth and as a function for the oracle."""

    sql: ColumnElement[bool]
    holds: Callable[[Row, Actor], Truth]


def unless_null(value: Any, test: Callable[[], bool]) -> Truth:
    return None if value is None else test()


def negation(part: Truth) -> Truth:
    return None if part is None else not part


def conjunction(parts: list[Truth]) -> Truth:
    return False if False in parts else None if None in parts else True


def disjunction(parts: list[Truth]) -> Truth:
    return negation(conjunction([negation(part) for part in parts]))


def leaf_rules(resource: str) -> st.SearchStrategy[Both]:
    model = MODELS[resource]
    return st.one_of(
        st.just(Both(public, lambda row, actor: True)),
        st.just(Both(signed_in, lambda row, actor: actor.id is not None)),
        st.sampled_from(ROLES).map(lambda r: Both(role(r), lambda row, actor: r in actor.roles)),
        st.just(Both(model.owner == me.id, owned)),
        st.just(Both(model.name.in_(me.roles), lambda row, actor: named_by_role(row, actor))),
        st.integers(0, 3).map(
            lambda k: Both(
                model.rank >= k, lambda row, _: unless_null(row["rank"], lambda: row["rank"] >= k)
            )
        ),
        st.sampled_from(NAMES).map(
            lambda n: Both(
                model.name == n, lambda row, _: unless_null(row["name"], lambda: row["name"] == n)
            )
        ),
        st.just(Both(model.name.is_(None), lambda row, _: row["name"] is None)),
    )


def owned(row: Row, actor: Actor) -> Truth:
    return None if None in (row["owner"], actor.id) else row["owner"] == actor.id


def named_by_role(row: Row, actor: Actor) -> Truth:
    if not actor.roles:
        return False
    return unless_null(row["name"], lambda: row["name"] in actor.roles)


@st.composite
def rules(draw: st.DrawFn, resource: str, depth: int = 3) -> Both:
    form = draw(st.sampled_from(["leaf", "leaf", "and", "or", "not", "relation"]))
    if depth == 0 or form == "leaf":
        return draw(leaf_rules(resource))
    if form == "relation":
        return draw(relation_rules(resource, depth))
    left = draw(rules(resource, depth - 1))
    if form == "not":
        return Both(not_(left.sql), lambda row, actor: negation(left.holds(row, actor)))
    right = draw(rules(resource, depth - 1))
    combine, meaning = (and_, conjunction) if form == "and" else (or_, disjunction)
    return Both(
        combine(left.sql, right.sql),
        lambda row, actor: meaning([left.holds(row, actor), right.holds(row, actor)]),
    )


@st.composite
def relation_rules(draw: st.DrawFn, resource: str, depth: int) -> Both:
    relation = draw(st.sampled_from(sorted(RELATIONS[resource])))
    inner = draw(rules(RELATIONS[resource][relation], depth - 1))
    attribute = getattr(MODELS[resource], relation)
    exists = attribute.has if (resource, relation) in TO_ONE else attribute.any
    return Both(
        exists(inner.sql),
        lambda row, actor: any(
            inner.holds(other, actor) is True for other in related(resource, row, relation)
        ),
    )


@dataclass(frozen=True)
class Rules:
    """read: which rows. rank: on which of them the field "rank" may be read."""

    read: Both
    rank: Both | None


class Oracle:
    """What an actor may read, worked out without SQL."""

    def __init__(self, given: dict[str, Rules], actor: Actor) -> None:
        self.given, self.actor = given, actor

    def rows(self, resource: str) -> list[Row]:
        return [row for row in WORLD[resource] if self.reads(resource, row)]

    def reads(self, resource: str, row: Row) -> bool:
        return self.given[resource].read.holds(row, self.actor) is True

    def seen(self, resource: str, row: Row) -> Row:
        rule = self.given[resource].rank
        if rule is None or rule.holds(row, self.actor) is True:
            return dict(row)
        return {**row, "rank": None}

    def related(self, resource: str, row: Row, relation: str) -> list[Row]:
        target = RELATIONS[resource][relation]
        return [r for r in related(resource, row, relation) if self.reads(target, r)]


@dataclass(frozen=True)
class Asked:
    """A condition twice: as a client writes it and as the oracle decides it; NULL counts as no."""

    text: str
    decides: Callable[[Oracle, str, Row], Truth]


@st.composite
def conditions(draw: st.DrawFn, resource: str, depth: int = 3) -> Asked:
    form = draw(st.sampled_from(["leaf", "leaf", "and", "or", "not", "any", "path"]))
    if depth == 0 or form == "leaf":
        return draw(comparisons())
    if form in ("any", "path"):
        return draw(related_conditions(resource, depth, form))
    left = draw(conditions(resource, depth - 1))
    if form == "not":
        return Asked(f"not ({left.text})", lambda o, n, r: negation(left.decides(o, n, r)))
    right = draw(conditions(resource, depth - 1))
    meaning = conjunction if form == "and" else disjunction
    return Asked(
        f"({left.text}) {form} ({right.text})",
        lambda o, n, r: meaning([left.decides(o, n, r), right.decides(o, n, r)]),
    )


@st.composite
def comparisons(draw: st.DrawFn) -> Asked:
    name = draw(st.sampled_from(["rank", "name"]))
    if draw(st.booleans()):
        return Asked(f"{name} is null", lambda o, n, row: o.seen(n, row)[name] is None)
    value: Any = draw(st.integers(0, 3) if name == "rank" else st.sampled_from(NAMES))
    sign, test = draw(st.sampled_from([("=", "__eq__"), (">=", "__ge__"), ("!=", "__ne__")]))
    shown = value if name == "rank" else f'"{value}"'

    def decides(oracle: Oracle, resource: str, row: Row) -> Truth:
        stored = oracle.seen(resource, row)[name]
        return unless_null(stored, lambda: bool(getattr(stored, test)(value)))

    return Asked(f"{name} {sign} {shown}", decides)


@st.composite
def related_conditions(draw: st.DrawFn, resource: str, depth: int, form: str) -> Asked:
    relation = draw(st.sampled_from(sorted(RELATIONS[resource])))
    target = RELATIONS[resource][relation]
    inner = draw(conditions(target, depth - 1) if form == "any" else comparisons())
    text = f"any({relation}, {inner.text})" if form == "any" else f"{relation}.{inner.text}"
    return Asked(
        text,
        lambda o, n, row: any(
            inner.decides(o, target, other) is True for other in o.related(n, row, relation)
        ),
    )


actors = st.builds(
    Actor,
    id=st.sampled_from([None, *OWNERS]),
    roles=st.frozensets(st.sampled_from(ROLES)),
)
policies = st.fixed_dictionaries(
    {name: st.builds(Rules, read=rules(name), rank=st.none() | rules(name, 1)) for name in MODELS}
)


def policy(rules: Rules) -> Policy:
    fields = {} if rules.rank is None else {"rank": rules.rank.sql}
    return Policy(read=rules.read.sql, fields=fields)


def in_order(rows: list[Row], sort: tuple[str, ...]) -> list[Row]:
    rows = sorted(rows, key=lambda row: row["id"], reverse=sort == ("-id",))
    if sort in ((), ("-id",)):
        return rows
    return sorted(
        rows,
        key=lambda row: (row["name"] is None, row["name"] or ""),
        reverse=sort == ("-name",),
    )


many_examples = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def database_of(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folders.mktemp('world') / 'world.db'}"
        return
    with request.getfixturevalue("postgres_server").new_database() as url:
        yield url


def fill_world(url: str) -> None:
    engine = sync_engine(url)
    create_missing_tables(engine, [Base.metadata])
    with engine.begin() as connection:
        for table, rows in (("author", "authors"), ("book", "books"), ("tag", "tags")):
            connection.execute(insert(Base.metadata.tables[table]), WORLD[rows])
        connection.execute(insert(labels), [{"book_id": b, "tag_id": t} for b, t in LINKS])
    engine.dispose()
