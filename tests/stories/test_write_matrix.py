"""Every protected field, every reference and every link, by every actor, in every way there is to write.

What is protected is read from the policies and the tables, not from the code that protects it; and
whether an attempt got through is read from the database. The same ways with what may be written
all succeed, so that nothing is refused for another reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, Computed, Engine, ForeignKey, String, Table, inspect, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me, public, role, signed_in
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]
Row = dict[str, Any]
Way = Callable[[Ask, Actor, str, Row], Response]


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    note: Mapped[int] = mapped_column(default=0)
    is_open: Mapped[bool] = mapped_column(default=False)
    owner: Mapped[str | None] = mapped_column(String(20))
    secret: Mapped[int] = mapped_column(default=0)
    score: Mapped[int] = mapped_column(default=0)
    number: Mapped[int] = mapped_column(default=0)
    budget: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int] = mapped_column(Computed("note * 2"))
    members: Mapped[list[Member]] = relationship(
        back_populates="team", foreign_keys="Member.team_id", cascade="all, delete-orphan"
    )


member_power = Table(
    "member_power",
    Base.metadata,
    Column("member_id", ForeignKey("member.id"), primary_key=True),
    Column("power_id", ForeignKey("power.id"), primary_key=True),
)


class Member(Base):
    """Belongs to whom its team belongs to, and may refer to others in three more ways."""

    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    note: Mapped[int] = mapped_column(default=0)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    rival_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    first_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team_name: Mapped[str | None] = mapped_column(ForeignKey("team.name"))
    rank: Mapped[int] = mapped_column(default=0)
    team: Mapped[Team] = relationship(back_populates="members", foreign_keys=[team_id])
    first: Mapped[Team | None] = relationship(foreign_keys=[first_id])
    powers: Mapped[list[Power]] = relationship(secondary=member_power)


class Power(Base):
    __tablename__ = "power"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    note: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(String(20))
    is_open: Mapped[bool] = mapped_column(default=False)


ADMIN = role("admin")
TEAM = Policy(
    read=Team.is_open | (Team.owner == me.id) | ADMIN,
    create=signed_in,
    update=(Team.owner == me.id) | ADMIN,
    hidden=("secret",),
    read_only=("score",),
    write_once=("number",),
    preset={"owner": me.id},
    fields={"budget": Team.owner == me.id},
)
MEMBER = Policy(
    read=public,
    write=Member.team.has(Team.owner == me.id) | ADMIN,
    read_only=("first_id", "rank"),
)
POWER = Policy(
    read=Power.is_open | (Power.owner == me.id) | ADMIN,
    write=(Power.owner == me.id) | ADMIN,
    preset={"owner": me.id},
)
EXPOSED: Mapping[str, tuple[type[Base], Policy]] = {
    "teams": (Team, TEAM),
    "members": (Member, MEMBER),
    "powers": (Power, POWER),
}
NOBODY, ANN, BEN = Actor(), Actor("ann"), Actor("ben")
BOSS = Actor("boss", roles=frozenset({"admin"}))
ACTORS = {"nobody": NOBODY, "ann": ANN, "ben": BEN, "boss": BOSS}
OWN = {"ann": 1, "ben": 2, "boss": 1, "nobody": 1}
"""The row that an actor tries to change; that of nobody is another's."""

OF_ANN, OF_BEN, OPEN_OF_BEN, HIDDEN_FROM_ALL, ABSENT = 1, 2, 3, 4, 99
SENTINEL = 777
numbers = count(1)


@pytest.fixture
def url(database_url: str, fill: Callable[..., None]) -> str:
    owned = [("ann", False), ("ben", False), ("ben", True), ("eve", False)]
    fill(
        database_url,
        Base.metadata,
        [Team(name=f"team {n}", owner=o, is_open=open_) for n, (o, open_) in enumerate(owned, 1)],
    )
    fill(database_url, Base.metadata, [Member(name=f"m{n}", team_id=n) for n in range(1, 5)])
    powers = [Power(name=f"p{n}", owner=o, is_open=op) for n, (o, op) in enumerate(owned, 1)]
    fill(database_url, Base.metadata, powers)
    return database_url


@pytest.fixture
def ask(url: str, serve: Callable[[Tilth], Ask]) -> Ask:
    app = Tilth(url, readers=[actor_reader])
    for model, policy in EXPOSED.values():
        app.expose(model, policy)
    return serve(app)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = sync_engine(url)
    yield engine
    engine.dispose()


def body_for(resource: str, actor: Actor) -> Row:
    """Accepted from whoever may create."""
    name = f"new {next(numbers)}"
    own = OWN[next(each for each in ACTORS if ACTORS[each] == actor)]
    return {"name": name, **({"team_id": own} if resource == "members" else {})}


def batch(ask: Ask, by: Actor, method: str, path: str, body: Any) -> Response:
    operation = {"method": method, "path": path, "body": body}
    return ask("/api/batch", method="POST", by=by, json={"operations": [operation]})


def sent_as(media_type: str, content: str) -> Row:
    return {"content": content, "headers": {"content-type": media_type}}


def csv_of(row: Row) -> str:
    return f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"


MERGE = {"prefer": "resolution=merge"}
CREATING: dict[str, Way] = {
    "POST": lambda ask, by, path, row: ask(path, method="POST", by=by, json=row),
    "POST of a list": lambda ask, by, path, row: ask(path, method="POST", by=by, json=[row]),
    "POST of lines": lambda ask, by, path, row: ask(
        path, method="POST", by=by, **sent_as("application/x-ndjson", json.dumps(row))
    ),
    "POST of a table": lambda ask, by, path, row: ask(
        path, method="POST", by=by, **sent_as("text/csv", csv_of(row))
    ),
    "POST in a batch": lambda ask, by, path, row: batch(ask, by, "POST", path, row),
    "merging POST": lambda ask, by, path, row: ask(
        f"{path}?on=name", method="POST", by=by, json=row, headers=MERGE
    ),
}
"""By the path of the collection and a whole body."""


def whole(ask: Ask, by: Actor, path: str, change: Row) -> Row:
    """Of a row, for PUT: what a client reads and may send back, with the change."""
    row = ask(path, by=by).json()
    closed = {"id", "owner", "score", "number", "twice", "budget", "rank", "first_id"}
    return {name: value for name, value in row.items() if name not in closed} | change


CHANGING: dict[str, Way] = {
    "PATCH": lambda ask, by, path, change: ask(path, method="PATCH", by=by, json=change),
    "PUT": lambda ask, by, path, change: ask(
        path, method="PUT", by=by, json=whole(ask, by, path, change)
    ),
    "PATCH of many": lambda ask, by, path, change: ask(
        "{}?id={}".format(*path.rsplit("/", 1)),
        method="PATCH",
        by=by,
        json=change,
        headers={"prefer": "max-affected=1"},
    ),
    "PATCH in a batch": lambda ask, by, path, change: batch(ask, by, "PATCH", path, change),
    "PUT in a batch": lambda ask, by, path, change: batch(
        ask, by, "PUT", path, whole(ask, by, path, change)
    ),
    "merging POST": lambda ask, by, path, change: ask(
        f"{path.rpartition('/')[0]}?on=name",
        method="POST",
        by=by,
        json=whole(ask, by, path, change),
        headers=MERGE,
    ),
}
"""By the path of the row and what is to change."""


BELOW: dict[str, Callable[[Ask, Actor, int, Row], Response]] = {
    "POST below": lambda ask, by, own, row: ask(
        f"/api/teams/{own}/members", method="POST", by=by, json=row
    ),
    "nested": lambda ask, by, own, row: ask(
        "/api/teams",
        method="POST",
        by=by,
        json={"name": f"over {next(numbers)}", "members": [row]},
    ),
}
"""The ways to make a member that lead through its team."""


def attempts(
    ask: Ask, who: str, resource: str, change: Row
) -> Iterator[tuple[str, bool, Response]]:
    """(way, whether a new row was to be made, answer) of everything that an actor can try."""
    by, path = ACTORS[who], f"/api/{resource}"
    for way, create in CREATING.items():
        yield way, True, create(ask, by, path, body_for(resource, by) | change)
    for way, alter in CHANGING.items():
        yield way, False, alter(ask, by, f"{path}/{OWN[who]}", change)
    if resource == "members" and not change.keys() & {"team_id", "team"}:
        for way, make in BELOW.items():
            row = {"name": f"new {next(numbers)}", **change}
            yield way, True, make(ask, by, OWN[who], row)


def values(engine: Engine, model: type[Base], column: str) -> list[Any]:
    table = model.__table__
    with engine.connect() as connection:
        return list(connection.execute(select(table.c[column]).order_by(table.c["id"])).scalars())


@pytest.mark.parametrize("who", ["ann", "ben", "boss"])
@pytest.mark.parametrize("resource", EXPOSED)
def test_what_may_be_written_is_accepted_in_every_way(
    ask: Ask, engine: Engine, resource: str, who: str
) -> None:
    for way, creating, answer in attempts(ask, who, resource, {"note": SENTINEL}):
        # What the boss makes below a team belongs to no team of theirs, and they may all the same.
        assert answer.status_code < 300, (way, creating, answer.text)
        assert SENTINEL in values(engine, EXPOSED[resource][0], "note")
        CHANGING["PATCH"](ask, BOSS, f"/api/{resource}/{OWN[who]}", {"note": 0})


def protected(model: type[Base], policy: Policy) -> Iterator[tuple[str, bool]]:
    """(column, whether only from change) as declared."""
    mapper = inspect(model)
    for column in mapper.columns:
        always = {*policy.hidden, *policy.read_only, *policy.preset}
        if column.primary_key or column.computed is not None or column.name in always:
            yield column.name, False
        elif column.name in policy.write_once:
            yield column.name, True


PROTECTED = [
    (resource, name, only_change)
    for resource, (model, policy) in EXPOSED.items()
    for name, only_change in protected(model, policy)
]


@pytest.mark.parametrize(("resource", "name", "only_change"), PROTECTED)
def test_protected_field_is_written_in_no_way(
    ask: Ask, engine: Engine, resource: str, name: str, only_change: bool
) -> None:
    model = EXPOSED[resource][0]
    before = values(engine, model, name)
    for who in ACTORS:
        owner = "ann" if who == "ben" else "ben"
        changes: list[Row] = [{name: owner if name == "owner" else SENTINEL}]
        # A key may be given by the row it leads to as well.
        changes += [{"first": {"id": OPEN_OF_BEN}}] if name == "first_id" else []
        for change in changes:
            for way, creating, answer in attempts(ask, who, resource, change):
                if not (creating and only_change):
                    refused = answer.status_code in (401, 403, 404, 409, 422)
                    assert refused, (who, way, answer.text)
    after = values(engine, model, name)

    assert after[: len(before)] == before
    if not only_change:
        assert len(after) == len(before)


@pytest.mark.parametrize("who", ["boss", "nobody", "ben"])
def test_masked_field_is_changed_in_no_way(ask: Ask, engine: Engine, who: str) -> None:
    """Of the team of Ann, who alone may know it."""
    by = ACTORS[who]
    for way, alter in CHANGING.items():
        if who == "boss" or not way.startswith(("PUT", "merging")):
            answer = alter(ask, by, f"/api/teams/{OF_ANN}", {"budget": SENTINEL})
            assert answer.status_code in (401, 403, 404, 409, 422) or "PATCH of many" in way

    assert SENTINEL not in values(engine, Team, "budget")
    assert CHANGING["PATCH"](ask, ANN, f"/api/teams/{OF_ANN}", {"budget": 1}).status_code == 200


OWNED = (1, 2, 3, 4)
READABLE = {"ann": {1, 3}, "ben": {2, 3}, "boss": {1, 2, 3, 4}, "nobody": {3}}
"""Teams and powers, by what they are made with."""

REFERENCES: dict[str, tuple[str, Callable[[int], Row]]] = {
    "the team by its key": ("team_id", lambda key: {"team_id": key}),
    "the team by an object": ("team_id", lambda key: {"team": {"id": key}}),
    "a key without a relation": ("rival_id", lambda key: {"rival_id": key}),
    "a unique name": ("team_name", lambda key: {"team_name": f"team {key}"}),
}


@pytest.mark.parametrize("who", ["ann", "ben"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_hidden_row_is_referred_to_in_no_way_and_is_as_absent(
    ask: Ask, engine: Engine, reference: str, who: str
) -> None:
    column, change_to = REFERENCES[reference]

    def tried(key: int) -> list[tuple[str, int, str]]:
        change = change_to(key)
        found = attempts(ask, who, "members", change)
        return [
            (way, answer.status_code, answer.json().get("code", "")) for way, _, answer in found
        ]

    before = values(engine, Member, column)
    absent = tried(ABSENT)
    for key in {1, 2, 3, 4} - READABLE[who]:
        assert tried(key) == absent
    assert {status for _, status, _ in absent} <= {409, 422}
    assert values(engine, Member, column) == before
    if column != "team_id":
        assert {status for _, status, _ in tried(OPEN_OF_BEN)} <= {200, 201}


@pytest.mark.parametrize("reference", ["the team by its key", "the team by an object"])
def test_row_is_moved_into_no_scope_of_another(ask: Ask, engine: Engine, reference: str) -> None:
    """Ann sees the open team of Ben, and it is not hers to put members in."""
    change = REFERENCES[reference][1](OPEN_OF_BEN)
    before = values(engine, Member, "team_id")

    for way, _, answer in attempts(ask, "ann", "members", change):
        assert answer.status_code in (403, 409, 422), way

    assert values(engine, Member, "team_id") == before


LINKING: dict[str, Callable[[Ask, Actor, int, int], Response]] = {
    "a new row": lambda ask, by, own, key: ask(
        "/api/members",
        method="POST",
        by=by,
        json={**body_for("members", by), "powers": [{"id": key}]},
    ),
    "a change": lambda ask, by, own, key: ask(
        f"/api/members/{own}", method="PATCH", by=by, json={"powers": [{"id": key}]}
    ),
    "many changes": lambda ask, by, own, key: ask(
        f"/api/members?id={own}",
        method="PATCH",
        by=by,
        json={"powers": [{"id": key}]},
        headers={"prefer": "max-affected=1"},
    ),
    "a batch": lambda ask, by, own, key: batch(
        ask, by, "PATCH", f"/api/members/{own}", {"powers": [{"id": key}]}
    ),
    "an address": lambda ask, by, own, key: ask(
        f"/api/members/{own}/powers/{key}", method="PUT", by=by
    ),
    "an address in a batch": lambda ask, by, own, key: batch(
        ask, by, "PUT", f"/api/members/{own}/powers/{key}", None
    ),
}


def links(engine: Engine) -> set[tuple[int, int]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(select(member_power))}


@pytest.mark.parametrize("way", LINKING)
def test_links_are_made_where_both_ends_may_be_changed(ask: Ask, engine: Engine, way: str) -> None:
    """Near: the members of each team; far: the powers of each owner."""
    owned = {"ann": {1}, "ben": {2, 3}, "boss": {1, 2, 3, 4}, "nobody": set[int]()}
    tried = [(who, near, far) for who in ACTORS for near in OWNED for far in (*OWNED, ABSENT)]
    for who, near, far in tried:
        may = far in owned[who] and (near in owned[who] or way == "a new row")
        before = links(engine)

        answer = LINKING[way](ask, ACTORS[who], near, far)

        assert (answer.status_code < 300) is may, (who, near, far, answer.text)
        assert may or links(engine) == before
        if far not in READABLE[who] and near in owned[who]:
            assert answer.status_code in (404, 409)


@pytest.mark.parametrize("who", ["nobody", "ann", "ben"])
def test_row_of_another_is_changed_in_no_way(ask: Ask, engine: Engine, who: str) -> None:
    by = ACTORS[who]
    other = OF_BEN if who == "ann" else OF_ANN
    for resource, (model, _) in EXPOSED.items():
        count_before = len(values(engine, model, "id"))
        for key in (other, HIDDEN_FROM_ALL, *([OPEN_OF_BEN] if who != "ben" else [])):
            path = f"/api/{resource}/{key}"
            tried = [alter(ask, by, path, {"note": SENTINEL}) for alter in CHANGING.values()]
            tried += [ask(path, method="DELETE", by=by), batch(ask, by, "DELETE", path, None)]
            tried.append(
                ask(
                    f"/api/{resource}?id={key}",
                    method="DELETE",
                    by=by,
                    headers={"prefer": "max-affected=1"},
                )
            )
            # A change by filter of what is not there for them is a change of nothing.
            assert {a.status_code for a in tried} <= {200, 401, 403, 404, 405, 409, 422}
        assert SENTINEL not in values(engine, model, "note")
        assert len(values(engine, model, "id")) == count_before
