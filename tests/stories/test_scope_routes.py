"""The developer's own routes: what the caller may see, and one unit of work around each request."""

from collections.abc import Callable

import pytest
from httpx import Response
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Actor, Policy, Scope, SetupError, SyncScope, Tilth, me, signed_in
from tilth.errors import Forbidden, QueryError
from tilth.testing import actor_reader

Ask = Callable[..., Response]

ADA, BEN = Actor("ada"), Actor("ben")


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[str]


def notes(url: str) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    mine = Note.owner_id == me.id
    app.expose(Note, Policy(read=mine, create=signed_in, update=mine, preset={"owner_id": me.id}))

    @app.get("/mine")
    async def listed(scope: Scope) -> list[str]:
        return [note.text async for note in scope.objects(Note).order_by("text")]

    @app.get("/mine-in-a-thread")
    def listed_in_a_thread(scope: SyncScope) -> list[str]:
        return [note.text for note in scope.objects(Note).order_by("text")]

    @app.post("/notes/{text}")
    async def add(scope: Scope, text: str) -> str:
        return (await scope.objects(Note).create(text=text)).owner_id

    @app.post("/twice/{text}")
    async def add_twice(scope: Scope, text: str) -> None:
        await scope.objects(Note).create(text=f"{text} once")
        scope.session.add(Note(text=text, owner_id="ada"))
        scope.session.add(Note(text=text, owner_id="ada"))

    @app.post("/in-a-thread/{text}")
    def add_in_a_thread(scope: SyncScope, text: str) -> int:
        scope.session.add(Note(text=text, owner_id="ada"))
        return scope.objects(Note).count()

    @app.get("/add-by-asking")
    async def add_by_asking(scope: Scope) -> None:
        await scope.objects(Note).create(text="never")

    @app.post("/sneak/{text}")
    async def sneak(scope: Scope, text: str) -> int:
        try:
            await scope.objects(Note).filter(text="kept").delete()
        except Forbidden:
            await scope.objects(Note).create(text=text)
        with scope.unrestricted("a count of everything"):
            return await scope.objects(Note).count()

    return app


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    kept = [Note(text="kept", owner_id="ada"), Note(text="other", owner_id="ben")]
    fill(database_url, Base.metadata, kept)
    return serve(notes(database_url))


@pytest.mark.parametrize("path", ["/mine", "/mine-in-a-thread"])
@pytest.mark.parametrize(
    ("by", "seen"), [(ADA, ["kept"]), (BEN, ["other"]), (None, [])], ids=["ada", "ben", "anyone"]
)
def test_an_endpoint_sees_what_its_caller_may_see(
    ask: Ask, path: str, by: Actor | None, seen: list[str]
) -> None:
    assert ask(path, by=by).json() == seen


def test_what_an_endpoint_creates_is_checked_and_preset(ask: Ask) -> None:
    made = ask("/notes/new", by=ADA, method="POST")

    assert (made.status_code, made.json()) == (200, "ada")
    assert ask("/mine", by=ADA).json() == ["kept", "new"]
    assert ask("/notes/new", method="POST").status_code == 401
    assert ask("/notes/other", by=ADA, method="POST").json()["code"] == "unique"


def test_an_endpoint_that_fails_at_the_commit_leaves_nothing_and_says_so(ask: Ask) -> None:
    answer = ask("/twice/x", by=ADA, method="POST")

    assert answer.status_code == 409
    assert ask("/mine", by=ADA).json() == ["kept"]


def test_a_thread_sees_what_it_has_added(ask: Ask) -> None:
    assert ask("/in-a-thread/more", by=ADA, method="POST").json() == 2
    assert ask("/mine", by=ADA).json() == ["kept", "more"]


def test_a_request_that_only_asks_cannot_write(ask: Ask) -> None:
    with pytest.raises(QueryError, match="This scope only reads"):
        ask("/add-by-asking", by=ADA)


def test_a_refusal_that_is_caught_leaves_the_rest_of_the_unit_whole(ask: Ask) -> None:
    assert ask("/sneak/instead", by=ADA, method="POST").json() == 3
    assert ask("/mine", by=ADA).json() == ["instead", "kept"]


def test_the_wrong_kind_of_scope_is_found_at_start(database_url: str) -> None:
    app = notes(database_url)

    @app.get("/wrong")
    def wrong(scope: Scope) -> None: ...

    @app.get("/wrong-too")
    async def wrong_too(scope: SyncScope) -> None: ...

    with pytest.raises(SetupError) as raised:
        app.freeze()

    assert [(each.code, each.remedy) for each in raised.value.findings] == [
        ("scope.kind", "Annotate the parameter with tilth.SyncScope."),
        ("scope.kind", "Annotate the parameter with tilth.Scope."),
    ]
