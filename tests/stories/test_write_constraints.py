"""What the database refuses is told by field on both, and tells nothing of what is hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import CheckConstraint, Column, ForeignKey, String, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Scope, Tilth, me, public
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]
ANN = Actor("ann")


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("pay < 1000", name="pay_below_1000"),
        CheckConstraint("low <= high"),
        CheckConstraint("low < pay"),
        CheckConstraint("low >= 0"),
        CheckConstraint("high < 50"),
        CheckConstraint("high <> 13"),
        CheckConstraint("tries < 3", name="three_tries"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    low: Mapped[int] = mapped_column(default=1)
    high: Mapped[int] = mapped_column(default=2)
    tries: Mapped[int] = mapped_column(default=0)
    pay: Mapped[int] = mapped_column(default=10)


class Child(Base):
    """CHECKs with columns, with the table and named; a name that PostgreSQL shortens."""

    __tablename__ = "a_child_of_a_table_with_a_rather_long_name"
    __table_args__ = (CheckConstraint("low < high"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    low: Mapped[int] = mapped_column(CheckConstraint("low > 0"), default=1)
    high: Mapped[int] = mapped_column(CheckConstraint("high < 90", name="under_90"), default=2)
    number_of_the_smallest_unit: Mapped[int] = mapped_column(default=0, unique=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))


flights = Table(
    "seat",
    Base.metadata,
    Column("flight_id", ForeignKey("flight.id"), primary_key=True),
    Column("guest_id", ForeignKey("guest.id"), primary_key=True, unique=True),
)


class Flight(Base):
    """A guest has one seat in all."""

    __tablename__ = "flight"
    id: Mapped[int] = mapped_column(primary_key=True)
    guests: Mapped[list[Guest]] = relationship(secondary=flights)


class Guest(Base):
    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(primary_key=True)


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(20))


class Player(Base):
    """Created by the owner of the team alone."""

    __tablename__ = "player"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team] = relationship()


class Guarded(Base):
    """Two triggers: one that raises an error and one that passes over the change."""

    __tablename__ = "guarded"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(20))


SQLITE_TRIGGERS = [
    f"CREATE TRIGGER {name}_{event.lower()} BEFORE {event} ON guarded WHEN {row}.word = '{name}' "
    f"BEGIN SELECT RAISE({action}); END"
    for name, action in (("bad", "ABORT, 'secret of the trigger'"), ("never", "IGNORE"))
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
]
POSTGRES_TRIGGERS = [
    """CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE word text := CASE WHEN TG_OP = 'DELETE' THEN OLD.word ELSE NEW.word END;
    BEGIN
        IF word = 'bad' THEN RAISE EXCEPTION 'secret of the trigger'; END IF;
        IF word = 'never' THEN RETURN NULL; END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $$""",
    "CREATE TRIGGER guarding BEFORE INSERT OR UPDATE OR DELETE ON guarded "
    "FOR EACH ROW EXECUTE FUNCTION guard()",
]


LINK_TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER seat_{event} BEFORE {event} ON seat WHEN {row}.guest_id > 1 "
        "BEGIN SELECT RAISE(IGNORE); END"
        for event, row in (("INSERT", "NEW"), ("DELETE", "OLD"))
    ],
    "postgresql": [
        """CREATE FUNCTION seating() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE one seat := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        BEGIN IF one.guest_id > 1 THEN RETURN NULL; END IF; RETURN one; END $$""",
        "CREATE TRIGGER seating BEFORE INSERT OR DELETE ON seat "
        "FOR EACH ROW EXECUTE FUNCTION seating()",
    ],
}


def add_triggers(url: str) -> None:
    """After the rows that they would not have let in."""
    engine = sync_engine(url)
    statements = SQLITE_TRIGGERS if engine.dialect.name == "sqlite" else POSTGRES_TRIGGERS
    statements = [*statements, *LINK_TRIGGERS[engine.dialect.name]]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    rows = [
        Flight(),
        Flight(),
        Flight(guests=[Guest(id=7)]),
        Guest(id=1),
        Guest(id=8),
        Job(),
        Team(owner="ann"),
        Team(owner="ben"),
        Guarded(word="fine"),
    ]
    fill(database_url, Base.metadata, [*rows, Guarded(word="bad"), Guarded(word="never")])
    add_triggers(database_url)
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Job, Policy(read=public, write=public, hidden=("pay", "tries")))
    app.expose(Team, Policy(read=Team.owner == me.id))
    app.expose(Player, Policy(read=public, write=Player.team.has(Team.owner == me.id)))
    app.expose(Child, Policy(read=public, write=public), name="children")
    app.expose(Flight, Policy(read=public, write=public))
    app.expose(Guest, Policy(read=public, write=public))
    app.expose(Guarded, Policy(read=public, write=public), name="guarded")

    @app.post("/scoped/{words}")
    async def scoped(words: str, scope: Scope) -> list[int]:
        """As mapped objects, after another one."""
        guarded = scope.objects(Guarded)
        await guarded.create(word="before")
        rows = [{"word": word} for word in words.split(",")]
        made = await guarded.bulk_create(rows) if rows[1:] else [await guarded.create(**rows[0])]
        return [each.id for each in made]

    return serve(app)


def faults(answer: Response) -> dict[str, tuple[str, str]]:
    return {each["pointer"]: (each["code"], each["detail"]) for each in answer.json()["errors"]}


CHILDREN: dict[str, tuple[dict[str, Any], int, set[str]]] = {
    "a check of a column": ({"low": 0}, 422, {"/low"}),
    "a named check of a column": ({"high": 95}, 422, {"/high"}),
    "a check of the table": ({"low": 5, "high": 4}, 422, {"/low", "/high"}),
    "a unique value": ({"number_of_the_smallest_unit": 0}, 409, {"/number_of_the_smallest_unit"}),
    "a row that is not there": ({"job_id": 99}, 409, {"/job_id"}),
}


@pytest.mark.parametrize("case", CHILDREN)
def test_constraints_of_columns_are_told_beside_those_of_the_table(ask: Ask, case: str) -> None:
    body, status, pointers = CHILDREN[case]
    ask("/api/children", method="POST", json={})

    refused = ask("/api/children", method="POST", json={"number_of_the_smallest_unit": 1} | body)

    assert refused.status_code == status
    assert faults(refused).keys() == pointers


def test_link_that_another_constraint_forbids_is_409(ask: Ask) -> None:
    """By its address, in a change, and with a new row; again, where it is, is fine."""
    assert ask("/api/flights/1/guests/1", method="PUT").status_code == 204
    people = {"guests": [{"id": 1}]}

    tried = [
        ask("/api/flights/2/guests/1", method="PUT"),
        ask("/api/flights/2", method="PATCH", json=people),
        ask("/api/flights", method="POST", json=people),
    ]

    assert {(each.status_code, each.json()["code"]) for each in tried} == {(409, "unique")}
    assert [*faults(tried[1])] == ["/guests"]
    assert ask("/api/flights/2/guests").json()["items"] == []
    assert len(ask("/api/flights").json()["items"]) == 3
    assert ask("/api/flights/1/guests/1", method="PUT").status_code == 204


def test_link_that_a_trigger_passes_over_is_409(ask: Ask) -> None:
    """Made, taken away, or to go along with its row."""
    tried = [
        ask("/api/flights/1/guests/8", method="PUT"),
        ask("/api/flights/1", method="PATCH", json={"guests": [{"id": 8}]}),
        ask("/api/flights/3/guests/7", method="DELETE"),
        ask("/api/flights/3", method="PATCH", json={"guests": []}),
        ask("/api/flights/3", method="DELETE"),
    ]

    assert {(each.status_code, each.json()["code"]) for each in tried} == {(409, "not_kept")}
    assert [row["id"] for row in ask("/api/flights/3/guests").json()["items"]] == [7]


HELD = "Does not hold: "
REFUSED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "of two fields": ({"low": 3, "high": 2}, {"/low": HELD, "/high": HELD}),
    "of one field": ({"low": -1}, {"/low": HELD}),
    "of a field with two": ({"high": 60}, {"/high": HELD}),
    "the second of a field with two": ({"high": 13}, {"/high": HELD}),
    "of a field and a hidden one": ({"low": 20, "high": 30}, {"/low": "Breaks a rule"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unnamed_check_is_told_by_its_fields(ask: Ask, case: str) -> None:
    body, expected = REFUSED[case]

    refused = ask("/api/jobs/1", method="PATCH", json=body)

    assert refused.status_code == 422
    told = faults(refused)
    assert told.keys() == expected.keys()
    assert all(told[at][0] == "check" for at in told)
    assert all(told[at][1].startswith(expected[at]) for at in told)
    assert "pay" not in refused.text


def test_hidden_target_of_a_key_is_as_absent_where_the_rule_follows_it(ask: Ask) -> None:
    """To create, to change, and among many."""
    own = ask("/api/players", method="POST", by=ANN, json={"team_id": 1})
    answers: list[list[tuple[int, object]]] = []
    for team in (2, 99):
        row = {"team_id": team}
        tried = [
            ask("/api/players", method="POST", by=ANN, json=row),
            ask("/api/players", method="POST", by=ANN, json=[row, row]),
            ask(own.headers["location"], method="PATCH", by=ANN, json=row),
            ask(
                "/api/players?id=1",
                method="PATCH",
                by=ANN,
                json=row,
                headers={"prefer": "max-affected=1"},
            ),
        ]
        answers.append([(each.status_code, each.json()["errors"]) for each in tried])

    hidden, absent = answers
    assert own.status_code == 201
    assert hidden == absent
    assert {status for status, _ in hidden} == {409}


WRITES: dict[str, Callable[[Ask, str, int], Response]] = {
    "create": lambda ask, word, _: ask("/api/guarded", method="POST", json={"word": word}),
    "create many": lambda ask, word, _: ask(
        "/api/guarded", method="POST", json=[{"word": "fine"}, {"word": word}]
    ),
    "create in a scope": lambda ask, word, _: ask(f"/scoped/{word}", method="POST"),
    "create many in a scope": lambda ask, word, _: ask(f"/scoped/fine,{word}", method="POST"),
    "change": lambda ask, word, _: ask("/api/guarded/1", method="PATCH", json={"word": word}),
    "change many": lambda ask, word, _: ask(
        "/api/guarded?id=1",
        method="PATCH",
        json={"word": word},
        headers={"prefer": "max-affected=1"},
    ),
    "delete": lambda ask, _, row: ask(f"/api/guarded/{row}", method="DELETE"),
    "delete many": lambda ask, _, row: ask(
        f"/api/guarded?id={row}", method="DELETE", headers={"prefer": "max-affected=1"}
    ),
}


@pytest.mark.parametrize("how", WRITES)
def test_trigger_that_raises_is_told_without_its_words(ask: Ask, how: str) -> None:
    refused = WRITES[how](ask, "bad", 2)

    status = 409 if how.startswith("delete") else 422
    assert refused.status_code == status
    assert {refused.json()["code"], *(code for code, _ in faults(refused).values())} >= {"check"}
    assert "secret" not in refused.text
    assert _words(ask) == ["fine", "bad", "never"]


@pytest.mark.parametrize("how", WRITES)
def test_trigger_that_passes_over_a_change_is_409(ask: Ask, how: str) -> None:
    refused = WRITES[how](ask, "never", 3)

    assert (refused.status_code, refused.json()["code"]) == (409, "not_kept")
    assert _words(ask) == ["fine", "bad", "never"]


def _words(ask: Ask) -> list[str]:
    return [row["word"] for row in ask("/api/guarded?sort=id").json()["items"]]
