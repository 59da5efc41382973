"""A read that was asked for before is answered as if it never was, whoever asked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request
from httpx import Response
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from starlette.responses import JSONResponse

from tilth import Actor, Policy, Tilth, me, role
from tilth.errors import NotFound
from tilth.settings import Settings
from tilth.testing import actor_reader

Ask = Callable[..., Response]

NOBODY = None
ANN = Actor("ann", method="test")
BOB = Actor("bob", method="test")
EDITOR = Actor("eve", roles=frozenset({"editor"}), method="test")
CALLERS = (NOBODY, ANN, BOB, EDITOR)

ADDRESSES = (
    "/api/notes",
    "/api/notes?limit=2",
    "/api/notes?limit=2&sort=-title&expand=shelf",
    "/api/notes?fields=id,title",
    "/api/notes?fields=remark",
    "/api/notes?count=exact&limit=1",
    "/api/notes?shelf__name=open",
    "/api/notes/1",
    "/api/notes/2",
    "/api/notes/2?expand=shelf",
    "/api/notes/02",
    "/api/notes/9",
    "/api/shelves?expand=notes",
    "/api/shelves/1",
    "/api/shelves/1/notes",
    "/api/shelves/2/notes",
    "/api/shelves/1/notes/",
)


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    notes: Mapped[list[Note]] = relationship(back_populates="shelf")


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    remark: Mapped[str]
    owner: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="notes")


ROWS = (
    Shelf(id=1, name="open"),
    Shelf(id=2, name="kept"),
    Note(id=1, title="a", remark="x", owner="ann", shelf_id=1),
    Note(id=2, title="b", remark="y", owner="bob", shelf_id=2),
    Note(id=3, title="c", remark="z", owner="ann", shelf_id=2),
)


def application(url: str) -> Tilth:
    settings = Settings(secret_key="the same for every application")
    app = Tilth(url, settings=settings, readers=[actor_reader])
    app.expose(Shelf, Policy(read=(Shelf.name == "open") | role("editor")))
    own = (Note.owner == me.id) | role("editor")
    app.expose(Note, Policy(read=own | (Note.id == 1), fields={"remark": role("editor")}))
    return app


@pytest.fixture
def filled_url(database_url: str, fill: Callable[..., None]) -> str:
    fill(database_url, Base.metadata, [type(row)(**_values(row)) for row in ROWS])
    return database_url


def _values(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def told(answer: Response) -> tuple[object, ...]:
    names = ("etag", "link", "vary", "content-type", "location", "www-authenticate")
    kept = tuple(answer.headers.get(name) for name in names)
    if answer.status_code >= 400:
        problem = answer.json()
        return answer.status_code, kept, problem["code"], problem["detail"]
    return answer.status_code, kept, answer.text


def test_answer_is_that_of_an_application_that_remembers_nothing(
    filled_url: str, serve: Callable[[FastAPI], Ask]
) -> None:
    asked = [(address, by) for address in ADDRESSES for by in CALLERS] * 3
    random.Random(3).shuffle(asked)
    fresh = {
        (address, by): told(serve(application(filled_url))(address, by=by))
        for address in ADDRESSES
        for by in CALLERS
    }
    ask = serve(application(filled_url))

    answers = [(address, by, told(ask(address, by=by))) for address, by in asked]

    wrong = [(address, by) for address, by, answer in answers if answer != fresh[address, by]]
    assert wrong == []


def test_route_of_the_developer_below_api_still_wins(
    filled_url: str, serve: Callable[[FastAPI], Ask]
) -> None:
    app = application(filled_url)

    @app.get("/api/notes/{name}/cover")
    async def cover(name: str) -> str:
        return f"cover of {name}"

    @app.get("/{anything}/notes/7")
    async def seventh(anything: str) -> str:
        return anything

    ask = serve(app)

    assert ask("/api/notes/1/cover").json() == "cover of 1"
    assert ask("/api/notes/7").json() == "api"
    assert ask("/api/notes/1").json()["id"] == 1


def test_middleware_of_the_developer_sees_reads(
    filled_url: str, serve: Callable[[FastAPI], Ask]
) -> None:
    app = application(filled_url)

    @app.middleware("http")
    async def marked(request: Request, call_next: Callable[..., Any]) -> Any:
        answer = await call_next(request)
        answer.headers["x-mark"] = request.url.path
        return answer

    assert serve(app)("/api/notes/1").headers["x-mark"] == "/api/notes/1"


def test_error_reaches_the_handler_of_the_developer(
    filled_url: str, serve: Callable[[FastAPI], Ask]
) -> None:
    app = application(filled_url)

    @app.exception_handler(NotFound)
    async def gone(request: Request, error: NotFound) -> JSONResponse:
        return JSONResponse({"gone": request.url.path}, status_code=410)

    answer = serve(app)("/api/notes/9")

    assert (answer.status_code, answer.json()) == (410, {"gone": "/api/notes/9"})


def test_application_below_another_is_addressed_below_it(
    filled_url: str, serve: Callable[[FastAPI], Ask]
) -> None:
    inner = application(filled_url)
    outer = FastAPI(lifespan=lambda _: inner.router.lifespan_context(inner))
    outer.mount("/inner", inner)
    ask = serve(outer)

    for _ in range(2):
        answer = ask("/inner/api/notes?limit=1", by=EDITOR)
        assert answer.json()["next"].startswith("/inner/api/notes?limit=1&cursor=")
