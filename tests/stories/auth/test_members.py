"""Who somebody is, shown by a class over the account's table; what else accounts hold, by none."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, MetaData, Table, select
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship
from sqlmodel import Field, Relationship, SQLModel
from starlette.testclient import TestClient

from tilth import Auth, Policy, Tilth, User, me, public, signed_in
from tilth.features.auth.models.tables import AUTH, PASSWORDS, USERS
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings

PASSWORD = "correct horse battery"
SETTINGS = Settings(environment="development", secret_key="0123456789abcdef-ghijklmnopqrstuvwxyz")

NAMED = {"include_properties": ["id", "username"]}


class Base(DeclarativeBase):
    pass


class Member(Base):
    __table__ = User.__table__
    __mapper_args__ = NAMED
    notes: Mapped[list[Note]] = relationship(back_populates="owner")


class Note(Base):
    __tablename__ = "member_note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    owner: Mapped[Member] = relationship(back_populates="notes")


class Plain(Base):
    __table__ = User.__table__
    __mapper_args__ = NAMED


# The page shows it with SQLModel's own base, which the rest of the tests fill with other tables.
class Card(SQLModel, table=True):
    metadata = MetaData()
    id: int | None = Field(default=None, primary_key=True)
    text: str
    owner_id: UUID = Field(sa_column_args=[ForeignKey(User.id)])
    owner: Plain = Relationship(sa_relationship=relationship(Plain))


OWNED = {"create": signed_in, "preset": {"owner_id": me.id}}


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:
    """Signed in as ann, who has a note and a card."""
    app = Tilth(database_url, auth=Auth(verify_email=False), settings=SETTINGS)
    app.expose(Member, Policy(read=signed_in))
    app.expose(Plain, Policy(read=signed_in), name="plain")
    app.expose(Note, Policy(read=signed_in, update=Note.owner_id == me.id, **OWNED))
    app.expose(Card, Policy(read=signed_in, **OWNED))
    engine = sync_engine(database_url)
    create_missing_tables(engine, [*app.freeze().own, Base.metadata, Card.metadata])
    engine.dispose()
    with TestClient(app, base_url="https://notes.test") as asking:
        account = {"username": "ann", "password": PASSWORD, "email": "ann@notes.test"}
        assert asking.post("/auth/sign-up", json=account).status_code == 201
        signing_in = {"identifier": "ann", "password": PASSWORD}
        assert asking.post("/auth/sign-in", json=signing_in).status_code == 200
        for kind in ("notes", "cards"):
            assert asking.post(f"/api/{kind}", json={"text": "Milk"}).status_code == 201
        yield asking


def me_of(client: TestClient) -> str:
    id_: str = client.get("/auth/me").json()["id"]
    return id_


@pytest.mark.parametrize("kind", ["notes", "cards"])
def test_name_of_a_rows_owner_is_expanded(client: TestClient, kind: str) -> None:
    row = client.get(f"/api/{kind}?expand=owner").json()["items"][0]

    assert row["owner"] == {"id": me_of(client), "username": "ann"}


def test_rows_are_found_by_the_name_of_their_owner(client: TestClient) -> None:
    found = [
        len(client.get(f"/api/notes?owner__username={n}").json()["items"]) for n in ("ann", "x")
    ]

    assert found == [1, 0]
    below = client.get(f"/api/members/{me_of(client)}/notes").json()["items"]
    assert [row["text"] for row in below] == ["Milk"]


def test_nothing_else_of_an_account_can_be_asked_for(client: TestClient) -> None:
    row = client.get(f"/api/members/{me_of(client)}").json()
    secret = [column.name for column in USERS.c if column.name not in row]

    assert row.keys() == {"id", "username"}
    assert "email" in secret
    for name in secret:
        for query in (f"?{name}=1", f"?sort={name}", f"?fields={name}", f"?expand={name}"):
            assert client.get(f"/api/members{query}").status_code == 400, query
    assert client.get("/api/notes?owner__email=ann@notes.test").status_code == 400


def test_accounts_are_changed_by_no_resource(client: TestClient) -> None:
    def refused(answer: Response) -> int:
        return answer.status_code

    where, nested = f"/api/members/{me_of(client)}", {"owner": {"username": "root"}}

    assert refused(client.patch(where, json={"username": "root"})) == 405
    assert refused(client.delete(where)) == 405
    assert refused(client.post("/api/members", json={"username": "root"})) == 405
    assert refused(client.patch("/api/notes/1", json=nested)) == 422
    assert client.get(where).json()["username"] == "ann"


def test_stranger_reads_no_member(client: TestClient) -> None:
    client.cookies.clear()

    assert client.get("/api/members").status_code == 401


# Every column of every table of accounts, one by one.
SECRET = [
    (table, column.name)
    for table in AUTH.sorted_tables
    for column in table.c
    if not (table is USERS and column.name in ("id", "username", "email", "phone"))
]


def over(table: Table, names: list[str], **attributes: object) -> type:
    keys = [column.name for column in table.primary_key]
    arguments = {"include_properties": [*keys, *names]}
    own = type("Own", (DeclarativeBase,), {})
    return type("Seen", (own,), {"__table__": table, "__mapper_args__": arguments, **attributes})


def codes(url: str, model: type, policy: Policy) -> list[tuple[str, str]]:
    app = Tilth(url, auth=Auth(), settings=SETTINGS)
    app.expose(model, policy)
    return [(each.code, each.reason) for each in app.check() if each.code.startswith("policy.guar")]


@pytest.mark.parametrize(("table", "name"), SECRET, ids=lambda each: str(each))
def test_no_secret_of_an_account_can_be_exposed(table: Table, name: str, sqlite_url: str) -> None:
    """On SQLite only: nothing is asked of the database."""
    ((code, reason),) = codes(sqlite_url, over(table, [name]), Policy(read=public))

    assert (code, name in reason) == ("policy.guarded_column", True)


def test_hiding_a_secret_does_not_help(sqlite_url: str) -> None:
    model = over(USERS, ["id", "epoch"])

    ((code, _),) = codes(sqlite_url, model, Policy(read=public, hidden=("epoch",)))

    assert code == "policy.guarded_column"


def test_secret_is_known_inside_what_is_computed(sqlite_url: str) -> None:
    hashed = select(PASSWORDS.c.hash).where(PASSWORDS.c.user_id == USERS.c.id)
    inside = column_property(hashed.correlate(USERS).scalar_subquery())

    ((code, reason),) = codes(sqlite_url, over(USERS, ["id"], inside=inside), Policy(read=public))

    assert (code, "hash" in reason) == ("policy.guarded_column", True)


def test_table_of_the_same_name_is_known(sqlite_url: str) -> None:
    own = type("Own", (DeclarativeBase,), {})
    keys = mapped_column(primary_key=True)
    model = type(
        "Password",
        (own,),
        {
            "__tablename__": "tilth_password",
            "__annotations__": {"user_id": Mapped[UUID], "hash": Mapped[str]},
            "user_id": keys,
        },
    )

    ((code, reason),) = codes(sqlite_url, model, Policy(read=public))

    assert (code, "hash" in reason) == ("policy.guarded_column", True)


def test_resource_that_would_change_accounts_is_refused(sqlite_url: str) -> None:
    model = over(USERS, ["id", "username"])

    found = [code for code, _ in codes(sqlite_url, model, Policy(read=public, write=public))]

    assert found == ["policy.guarded_table"] * 3
    assert codes(sqlite_url, model, Policy(read=public)) == []
