"""Who may change what: the old row, the new row, both ends of a link, and no way around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me, owner, public, role, signed_in
from tilth.testing import actor_reader

Ask = Callable[..., Response]

ANN, BEN = Actor("ann", tenant="north"), Actor("ben", tenant="south")
BOSS = Actor("boss", roles=frozenset({"admin"}), tenant="north")


class Base(DeclarativeBase):
    pass


labels = Table(
    "labels",
    Base.metadata,
    Column("doc_id", ForeignKey("doc.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Folder(Base):
    """Each is seen by its own tenant only."""

    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tenant: Mapped[str]
    docs: Mapped[list[Doc]] = relationship(back_populates="folder")


class Tag(Base):
    """Seen by all but secret ones, changed by the one who owns it, put on documents by anyone."""

    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner: Mapped[str]
    is_secret: Mapped[bool] = mapped_column(default=False)
    docs: Mapped[list[Doc]] = relationship(secondary=labels, back_populates="tags")


class Doc(Base):
    """Seen by all but drafts, changed by its author while it is no more than a hundred long."""

    __tablename__ = "doc"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author: Mapped[str]
    draft: Mapped[bool] = mapped_column(default=False)
    length: Mapped[int] = mapped_column(default=1)
    approved: Mapped[bool] = mapped_column(default=False)
    kind: Mapped[str | None]
    remark: Mapped[str | None]
    secret: Mapped[str | None]
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    folder: Mapped[Folder | None] = relationship(back_populates="docs")
    tags: Mapped[list[Tag]] = relationship(secondary=labels, back_populates="docs")
    reviews: Mapped[list[Review]] = relationship(back_populates="doc")


class Review(Base):
    """Written by anyone who is signed in, never in the name of another, never changed."""

    __tablename__ = "review"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    by: Mapped[str | None]
    doc_id: Mapped[int] = mapped_column(ForeignKey("doc.id"))
    doc: Mapped[Doc] = relationship(back_populates="reviews")


class Wish(Base):
    """Dropped in by anybody, read by the admin."""

    __tablename__ = "wish"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


DOC, BENS, DRAFT, LONG = (f"/api/docs/{key}" for key in (1, 2, 3, 4))


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    north, south = Folder(name="n", tenant="north"), Folder(name="s", tenant="south")
    tags = [
        Tag(name="anns", owner="ann"),
        Tag(name="bens", owner="ben"),
        Tag(name="secret", owner="ben", is_secret=True),
    ]
    docs = [
        Doc(title="anns", author="ann", remark="r", secret="s", folder=north, kind="memo"),
        Doc(title="bens", author="ben", remark="r"),
        Doc(title="bens draft", author="ben", draft=True),
        Doc(title="anns long one", author="ann", length=101),
    ]
    fill(database_url, Base.metadata, [north, south, *tags, *docs])
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Folder, Policy(read=Folder.tenant == me.tenant, write=Folder.tenant == me.tenant))
    app.expose(
        Tag,
        Policy(
            read=Tag.is_secret.is_(False) | (Tag.owner == me.id),
            write=owner("owner"),
            preset={"owner": me.id},
        ),
    )
    app.expose(
        Doc,
        Policy(
            read=Doc.draft.is_(False) | (Doc.author == me.id),
            create=(Doc.author == me.id) & (Doc.length <= 100),
            update=((Doc.author == me.id) & (Doc.length <= 100)) | role("admin"),
            delete=Doc.author == me.id,
            hidden=("secret",),
            read_only=("approved",),
            write_once=("kind",),
            fields={"remark": Doc.author == me.id},
            preset={"author": me.id},
            link={"tags": Tag.is_secret.is_(False)},
        ),
    )
    app.expose(Review, Policy(read=public, create=signed_in, preset={"by": me.id}))
    app.expose(Wish, Policy(read=role("admin"), create=public))
    return serve(app)


def send(ask: Ask, method: str, path: str, body: Any = None, by: Actor | None = None) -> Response:
    return ask(path, method=method, json=body, by=by) if body else ask(path, method=method, by=by)


def stored(ask: Ask) -> list[Response]:
    """Everything there is, as far as somebody sees it."""
    paths = ("/api/docs", "/api/folders", "/api/tags", "/api/docs/1/tags", "/api/docs/2/tags")
    return [ask(path, by=by).json() for path in paths for by in (ANN, BEN, BOSS)]


# What is tried, by whom, and the status it is refused with. None of it may change anything.
REFUSED: dict[str, tuple[Actor | None, str, str, Any, int]] = {
    "anonymous creates": (None, "POST", "/api/docs", {"title": "x"}, 401),
    "anonymous updates": (None, "PATCH", DOC, {"title": "x"}, 401),
    "anonymous deletes": (None, "DELETE", DOC, None, 401),
    "another's row is updated": (ANN, "PATCH", BENS, {"title": "x"}, 403),
    "another's row is replaced": (ANN, "PUT", BENS, {"title": "x"}, 403),
    "another's row is deleted": (ANN, "DELETE", BENS, None, 403),
    "a hidden row is updated": (ANN, "PATCH", DRAFT, {"title": "x"}, 404),
    "a hidden row is deleted": (ANN, "DELETE", DRAFT, None, 404),
    "an absent row is updated": (ANN, "PATCH", "/api/docs/99", {"title": "x"}, 404),
    "the old row is out of reach": (ANN, "PATCH", LONG, {"length": 1}, 403),
    "the new row would be out of reach": (ANN, "PATCH", DOC, {"length": 101}, 403),
    "created out of reach": (ANN, "POST", "/api/docs", {"title": "x", "length": 101}, 403),
    "another's name is given": (ANN, "POST", "/api/docs", {"title": "x", "author": "ben"}, 422),
    "given away": (ANN, "PATCH", DOC, {"author": "ben"}, 422),
    "a read-only field": (ANN, "PATCH", DOC, {"approved": True}, 422),
    "a read-only field at creation": (ANN, "POST", "/api/docs", {"title": "x", "approved": 1}, 422),
    "a hidden field": (ANN, "PATCH", DOC, {"secret": "x"}, 422),
    "a write-once field": (ANN, "PATCH", DOC, {"kind": "x"}, 422),
    "the key": (ANN, "PATCH", DOC, {"id": 9}, 422),
    "a field that is masked on the row": (BOSS, "PATCH", BENS, {"remark": "x"}, 422),
    "into another tenant's folder": (ANN, "PATCH", DOC, {"folder_id": 2}, 409),
    "into another tenant's folder by key": (ANN, "PATCH", DOC, {"folder": {"id": 2}}, 409),
    "created in another tenant's folder": (
        ANN, "POST", "/api/docs", {"title": "x", "folder_id": 2}, 409,
    ),
    "created below another tenant's folder": (
        ANN, "POST", "/api/folders/2/docs", {"title": "x"}, 404,
    ),
    "a tenant is moved": (ANN, "PATCH", "/api/folders/1", {"tenant": "south"}, 403),
    "a tenant is invaded": (ANN, "POST", "/api/folders", {"name": "x", "tenant": "south"}, 403),
    "below a row one may create, one that one may not": (
        ANN,
        "POST",
        "/api/folders",
        {"name": "x", "tenant": "north", "docs": [{"title": "x", "length": 101}]},
        403,
    ),
    "a link to a hidden row": (ANN, "PUT", "/api/docs/1/tags/3", None, 404),
    "a link to a hidden row in a body": (ANN, "PATCH", DOC, {"tags": [{"id": 3}]}, 409),
    "a link from another's row": (ANN, "PUT", "/api/docs/2/tags/1", None, 403),
    "a link from the other end": (ANN, "PUT", "/api/tags/1/docs/2", None, 403),
    "a link to what only its owner may link": (BEN, "PUT", "/api/docs/2/tags/3", None, 403),
    "what is never changed": (ANN, "PATCH", "/api/reviews/1", {"text": "x"}, 405),
    "in another's name": (ANN, "POST", "/api/docs/1/reviews", {"text": "x", "by": "ben"}, 422),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when(ask: Ask, case: str) -> None:
    by, method, path, body, status = REFUSED[case]
    before = stored(ask)

    answer = send(ask, method, path, body, by)

    assert answer.status_code == status
    assert stored(ask) == before


ALLOWED: dict[str, tuple[Actor | None, str, str, Any, int]] = {
    "a row of one's own": (ANN, "PATCH", DOC, {"title": "x", "remark": "y"}, 200),
    "a role": (BOSS, "PATCH", BENS, {"title": "x"}, 200),
    "a draft of one's own": (BEN, "DELETE", DRAFT, None, 204),
    "into one's own folder": (ANN, "POST", "/api/folders/1/docs", {"title": "x"}, 201),
    "write-once at creation": (ANN, "POST", "/api/docs", {"title": "x", "kind": "memo"}, 201),
    "a link to what anyone may link": (ANN, "PUT", "/api/docs/1/tags/2", None, 204),
    "a review of another's row": (ANN, "POST", "/api/docs/2/reviews", {"text": "x"}, 201),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed_is(ask: Ask, case: str) -> None:
    by, method, path, body, status = ALLOWED[case]

    assert send(ask, method, path, body, by).status_code == status


def test_preset_is_the_actors_whoever_it_is(ask: Ask) -> None:
    authors = [
        send(ask, "POST", "/api/docs", {"title": "x"}, by).json()["author"] for by in (ANN, BEN)
    ]

    assert authors == ["ann", "ben"]


def test_what_its_creator_may_not_read_is_created_and_not_shown(ask: Ask) -> None:
    created = send(ask, "POST", "/api/wishes", {"text": "a pony"})

    assert (created.status_code, created.content) == (201, b"")
    assert {"etag", "location"}.isdisjoint(created.headers)
    assert ask("/api/wishes", by=BOSS).json()["items"] == [{"id": 1, "text": "a pony"}]


def test_answer_of_a_change_is_masked_like_any_other(ask: Ask) -> None:
    patched = send(ask, "PATCH", BENS, {"title": "x"}, BOSS)

    assert patched.json() == ask(BENS, by=BOSS).json()
    assert patched.json()["remark"] is None


def test_replacing_does_not_clear_what_is_masked(ask: Ask) -> None:
    send(ask, "PUT", BENS, {"title": "x"}, BOSS)

    assert ask(BENS, by=BEN).json()["remark"] == "r"


def test_hidden_and_absent_references_are_refused_alike(ask: Ask) -> None:
    hidden = send(ask, "PATCH", DOC, {"folder_id": 2}, ANN).json()
    absent = send(ask, "PATCH", DOC, {"folder_id": 99}, ANN).json()

    assert hidden | {"request_id": 0} == absent | {"request_id": 0}


def test_replacing_links_leaves_those_to_hidden_rows(ask: Ask) -> None:
    send(ask, "PUT", "/api/tags/3/docs/2", None, BEN)
    send(ask, "PUT", "/api/docs/1/tags/1", None, ANN)

    assert send(ask, "PATCH", DOC, {"tags": [{"id": 2}]}, ANN).status_code == 200

    assert [tag["id"] for tag in ask("/api/docs/1/tags", by=ANN).json()["items"]] == [2]
    assert [tag["id"] for tag in ask("/api/docs/2/tags", by=BEN).json()["items"]] == [3]


def test_options_lists_what_the_caller_may_do_at_all(ask: Ask) -> None:
    allowed = [ask("/api/reviews", method="OPTIONS", by=by).headers["allow"] for by in (ANN, None)]

    assert allowed == ["GET, HEAD, OPTIONS, POST", "GET, HEAD, OPTIONS"]
