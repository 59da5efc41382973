"""Generated routes among others: the developer's own, other applications, a database that is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI, HTTPException
from httpx import Response
from psycopg import sql
from sqlalchemy import ForeignKey
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, SetupError, Tilth, public, signed_in

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")


@pytest.fixture
def url(database_url: str, fill: Any) -> str:
    heroes = [Hero(id=1, name="Ana"), Hero(id=2, name="é/x")]
    fill(database_url, Base.metadata, [Team(id=1, name="Red", heroes=heroes)])
    return database_url


def application(url: str, **options: Any) -> Tilth:
    app = Tilth(url, **options)
    app.expose(Team, Policy(read=public))
    app.expose(Hero, Policy(read=public), search=["name"])
    return app


# The developer's own routes


def test_own_routes_stand_beside_the_generated_ones(url: str, serve: Any) -> None:
    app = application(url)

    @app.get("/stats")
    def stats() -> dict[str, int]:
        return {"heroes": 2}

    @app.get("/api/heroes/best")
    def best() -> str:
        return "Ana"

    @app.post("/api/heroes", status_code=201)
    def create(name: str) -> str:
        return name

    @app.get("/api/reports/{year}")
    def report(year: int) -> int:
        if year < 2000:
            raise HTTPException(404, "No report is that old.")
        return year

    ask = serve(app)
    answers = {
        (method, path): (answer := ask(path, method=method)).status_code
        for method, path in [
            ("GET", "/stats"),
            ("GET", "/api/heroes/best"),
            ("GET", "/api/heroes/1"),
            ("GET", "/api/heroes"),
            ("POST", "/api/heroes?name=x"),
            ("DELETE", "/api/heroes"),
            ("GET", "/api/reports/2024"),
            ("GET", "/api/reports/1999"),
            ("GET", "/api/reports/x"),
            ("GET", "/api/reports"),
            ("GET", "/elsewhere"),
        ]
    }

    assert list(answers.values()) == [200, 200, 200, 200, 201, 405, 200, 404, 422, 404, 404]
    assert answer.headers["content-type"] == "application/problem+json"
    assert ask("/api/heroes/best").json() == "Ana"
    assert ask("/api/reports/1999").json()["detail"] == "No report is that old."
    described = ask("/openapi.json").json()["paths"]
    assert {"/stats", "/api/heroes/best", "/api/reports/{year}"} <= described.keys()
    assert described["/api/heroes"].keys() >= {"get", "post"}


def test_two_applications_share_models_and_nothing_else(url: str, serve: Any) -> None:
    open_app, closed_app = Tilth(url), Tilth(url)
    open_app.expose(Hero, Policy(read=public))
    closed_app.expose(Hero, Policy(read=signed_in), name="people")

    ask_open, ask_closed = serve(open_app), serve(closed_app)

    statuses = [
        ask(path).status_code
        for ask in (ask_open, ask_closed)
        for path in ("/api/heroes", "/api/people")
    ]
    assert statuses == [200, 404, 404, 401]


def test_application_can_be_mounted(url: str, serve: Any) -> None:
    shop = application(url)
    outer = FastAPI(lifespan=shop.router.lifespan_context)
    outer.mount("/shop", shop)
    ask = serve(outer)

    first = ask("/shop/api/heroes?limit=1")
    assert first.json()["items"] == [{"id": 1, "name": "Ana", "team_id": 1}]
    assert first.json()["next"].startswith("/shop/api/heroes?limit=1&cursor=")
    assert first.links["service-desc"]["url"] == "/shop/openapi.json"
    assert ask(first.json()["next"]).json()["items"][0]["id"] == 2
    assert ask("/shop/api/heroes/").headers["location"] == "/shop/api/heroes"
    assert ask("/shop/api/teams/1/heroes").status_code == 200
    assert ask("/shop/api").json()["resources"][0]["href"] == "/shop/api/teams"


def test_links_have_the_path_a_proxy_took_away(sqlite_url: str, fill: Any) -> None:
    fill(sqlite_url, Base.metadata, [Hero(id=n, name="Ana") for n in (1, 2)])
    transport = httpx.ASGITransport(application(sqlite_url), root_path="/proxied")

    async def ask(path: str) -> Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path)

    row = asyncio.run(ask("/proxied/api/heroes/1"))
    rows = asyncio.run(ask("/proxied/api/heroes?limit=1"))

    assert row.links["collection"]["url"] == "/proxied/api/heroes"
    assert rows.json()["next"].startswith("/proxied/api/heroes?")


RAW = {("/api/heroes/é", ""): 404, ("/api/é", ""): 404, ("/api/heroes", "q=é"): 400}


@pytest.mark.parametrize(("path", "query"), RAW)
def test_bytes_that_should_have_been_encoded_are_no_accident(
    sqlite_url: str, path: str, query: str
) -> None:
    """httpx would encode them, so this is asked without it."""
    app = application(sqlite_url)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "scheme": "http",
        "root_path": "",
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "http_version": "1.1",
        "headers": [],
        "server": ("test", 80),
        "client": ("test", 1),
    }
    asyncio.run(app(scope, receive, send))

    assert sent[0]["status"] == RAW[path, query]


# Mistakes in what is exposed


def test_every_mistake_is_told_before_anything_is_served(sqlite_url: str) -> None:
    app = Tilth(sqlite_url)
    app.expose(Team)
    app.expose(Hero, Policy(read=public, hidden=("nmae",)))
    app.expose(dict, Policy(read=public))

    with pytest.raises(SetupError) as error:
        app.freeze()

    codes = sorted(finding.code for finding in error.value.findings)
    assert codes == ["policy.missing", "policy.unknown_field", "schema.not_mapped"]
    assert all(__file__ in str(finding.where) for finding in error.value.findings)


def test_nothing_is_exposed_after_serving_began(sqlite_url: str) -> None:
    app = Tilth(sqlite_url)
    app.freeze()

    with pytest.raises(SetupError, match=r"app\.frozen"):
        app.expose(Team, Policy(read=public))


# One statement for each request


ONE_STATEMENT = [
    "/api/heroes",
    "/api/heroes/1",
    "/api/heroes/1?expand=team.heroes",
    "/api/heroes?expand=team.heroes.team.heroes&sort=-team.name&q=a&count=exact",
    "/api/teams?expand=heroes&count=estimated&filter=any(heroes)",
    "/api/teams/1/heroes?expand=team&count=exact&limit=1",
    "/api/teams/1/heroes?offset=1",
]


@pytest.fixture
def recorded(url: str, serve_recorded: Any) -> tuple[Ask, list[str]]:
    """The generated routes, and the statements that they have run."""
    served: tuple[Ask, list[str]] = serve_recorded(application(url))
    return served


def test_each_request_runs_one_statement(recorded: tuple[Ask, list[str]]) -> None:
    ask, statements = recorded

    counts = {}
    for path in ONE_STATEMENT:
        statements.clear()
        assert ask(path).status_code == 200
        counts[path] = len(statements)

    assert counts == dict.fromkeys(ONE_STATEMENT, 1)


def test_requests_that_differ_in_values_only_share_their_sql(
    recorded: tuple[Ask, list[str]],
) -> None:
    ask, statements = recorded

    for query in ("id__in=1,2,3&limit=1", "id__in=4,5,6,7&limit=9", "id__in=7,8,9,0&limit=200"):
        assert ask(f"/api/heroes?{query}").status_code == 200

    assert (len(statements), len(set(statements))) == (3, 1)


@pytest.mark.parametrize("path", ["/api", "/openapi.json", "/api/heroes?sort=x", "/api/nothing"])
def test_what_needs_no_row_asks_no_database(path: str, sqlite_url: str, serve: Any) -> None:
    """There is no such database: any statement would be answered 503."""
    ask = serve(application(sqlite_url))

    assert ask(path).status_code in (200, 400, 404)


# A database that is away


@contextmanager
def away(url: str) -> Iterator[None]:
    """The database cannot be reached under its name for a while, as when it is being restored."""
    where = make_url(url)
    if where.drivername == "sqlite":
        file = Path(str(where.database))
        hidden = file.with_suffix(".away")
        file.rename(hidden)
        yield
        hidden.rename(file)
        return
    name = sql.Identifier(str(where.database))
    hidden_name = sql.Identifier(f"{where.database}_away")
    maintenance = where.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [where.database],
        )
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        connection.execute(rename.format(name, hidden_name))
        yield
        connection.execute(rename.format(hidden_name, name))


def test_application_outlives_its_database(url: str, serve: Any) -> None:
    ask = serve(application(url))
    assert ask("/api/heroes").status_code == 200

    with away(url):
        down = ask("/api/heroes")
        states = [ask("/livez").status_code, ask("/readyz").status_code]
    back = ask("/api/heroes")

    assert (down.status_code, states, back.status_code) == (503, [200, 503], 200)
    assert int(down.headers["retry-after"]) >= 1
    assert down.headers["content-type"] == "application/problem+json"
    assert str(make_url(url).database) not in down.text


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-ndjson"])
def test_database_that_was_never_there_is_503_in_every_media_type(accept: str, serve: Any) -> None:
    pytest.importorskip("asyncpg")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: connecting to it is refused
        port = taken.getsockname()[1]
        ask = serve(application(f"postgresql://nobody:secret@127.0.0.1:{port}/nothing"))

        answer: httpx.Response = ask("/api/heroes", headers={"accept": accept})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "secret" not in answer.text


def test_tables_that_are_missing_are_named_in_the_log_only(
    database_url: str, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if "sqlite" in database_url:
        Path(str(make_url(database_url).database)).touch()

    answer = serve(application(database_url))("/api/heroes")

    assert (answer.status_code, answer.json()["code"]) == (503, "database_schema")
    assert answer.json()["detail"] == "The tables of the database do not fit the models."
    assert "retry-after" not in answer.headers
    assert 'Table "hero" does not exist' in caplog.text
