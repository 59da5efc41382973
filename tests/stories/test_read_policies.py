"""What each caller may see: rows, fields, and nothing of the rest by any way of asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me, owner, public, role, signed_in
from tilth.runtime.web.actor import bearer_reader
from tilth.testing import actor_reader

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


labels = Table(
    "labels",
    Base.metadata,
    Column("doc_id", ForeignKey("doc.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Folder(Base):
    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tenant: Mapped[str | None]
    docs: Mapped[list[Doc]] = relationship(back_populates="folder")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    audience: Mapped[str]
    docs: Mapped[list[Doc]] = relationship(secondary=labels, back_populates="tags")


class Doc(Base):
    __tablename__ = "doc"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    draft: Mapped[bool | None]
    author: Mapped[str | None]
    price: Mapped[int]
    remark: Mapped[str]
    secret: Mapped[str]
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    folder: Mapped[Folder | None] = relationship(back_populates="docs")
    tags: Mapped[list[Tag]] = relationship(secondary=labels, back_populates="docs")
    reviews: Mapped[list[Review]] = relationship(back_populates="doc")
    audits: Mapped[list[Audit]] = relationship(back_populates="doc")


class Review(Base):
    """Read by whoever reads the doc it is of, as a rule through the relation says."""

    __tablename__ = "review"
    id: Mapped[int] = mapped_column(primary_key=True)
    stars: Mapped[int]
    doc_id: Mapped[int] = mapped_column(ForeignKey("doc.id"))
    doc: Mapped[Doc] = relationship(back_populates="reviews")


class Audit(Base):
    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    doc_id: Mapped[int] = mapped_column(ForeignKey("doc.id"))
    doc: Mapped[Doc] = relationship(back_populates="audits")


class Memo(Base):
    __tablename__ = "memo"
    id: Mapped[int] = mapped_column(primary_key=True)


class Key(Base):
    __tablename__ = "key"
    id: Mapped[int] = mapped_column(primary_key=True)


def world() -> list[Base]:
    red = Folder(id=1, name="Red folder", tenant="red")
    blue = Folder(id=2, name="Blue folder", tenant="blue")
    lost = Folder(id=3, name="Lost folder", tenant=None)
    news = Tag(id=1, name="news", audience="staff")
    gossip = Tag(id=2, name="gossip", audience="press")

    def doc(number: int, draft: bool | None, author: str | None, folder: Folder | None) -> Doc:
        texts = {"title": f"Doc {number}", "remark": f"remark{number}", "secret": "s"}
        return Doc(id=number, draft=draft, author=author, folder=folder, price=number * 10, **texts)

    docs = [
        doc(1, False, "bob", red),
        doc(2, True, "bob", red),
        doc(3, True, "eve", red),
        doc(4, None, "eve", blue),
        doc(5, False, None, blue),
        doc(6, False, "eve", None),
    ]
    docs[0].tags, docs[2].tags, docs[4].tags = [news, gossip], [news], [gossip]
    reviews = [Review(id=n, stars=n, doc=docs[n - 1]) for n in range(1, 7)]
    return [*docs, lost, *reviews, Audit(id=1, doc=docs[0]), Memo(id=1), Key(id=1)]


@pytest.fixture(scope="module")
def ask(module_url: str, fill: Any, serve_for_module: Any) -> Ask:
    fill(module_url, Base.metadata, world())
    readers = [actor_reader, bearer_reader({"right": Actor("bob")})]
    app = Tilth(module_url, readers=readers)
    app.expose(Folder, Policy(read=Folder.tenant == me.tenant))
    app.expose(Tag, Policy(read=Tag.audience.in_(me.roles)))
    app.expose(
        Doc,
        Policy(
            read=~Doc.draft | owner("author") | role("staff"),
            hidden=("secret",),
            fields={"price": owner("author") | role("staff"), "remark": role("staff")},
        ),
        search=["title", "remark", "secret"],
    )
    app.expose(Review, Policy(read=Review.doc.has(~Doc.draft | (Doc.author == me.id))))
    app.expose(Audit, Policy(read=role("staff") & role("admin")))
    app.expose(Memo, Policy(read=signed_in))
    app.expose(Key, Policy())
    served: Ask = serve_for_module(app)
    return served


ANYONE = None
BOB = Actor("bob", tenant="red", roles=frozenset({"press"}))
EVE = Actor("eve", tenant="blue")
STAFF = Actor("sue", tenant="red", roles=frozenset({"staff"}))
ADMIN = Actor("ann", roles=frozenset({"staff", "admin", "press"}))


def ids(answer: Response) -> list[int] | int:
    if answer.status_code != 200:
        return answer.status_code
    return [row["id"] for row in answer.json()["items"]]


SCENES: list[tuple[str, list[tuple[Actor | None, list[int] | int]]]] = [
    # rows: `~draft` is NULL for doc 4, which denies
    (
        "/api/docs",
        [
            (ANYONE, [1, 5, 6]),
            (BOB, [1, 2, 5, 6]),
            (EVE, [1, 3, 4, 5, 6]),
            (STAFF, [1, 2, 3, 4, 5, 6]),
        ],
    ),
    ("/api/docs?count=exact&limit=2", [(ANYONE, [1, 5]), (STAFF, [1, 2])]),
    ("/api/folders", [(ANYONE, []), (BOB, [1]), (EVE, [2]), (ADMIN, [])]),
    ("/api/tags", [(ANYONE, []), (BOB, [2]), (STAFF, [1]), (ADMIN, [1, 2]), (EVE, [])]),
    ("/api/reviews", [(ANYONE, [1, 5, 6]), (BOB, [1, 2, 5, 6]), (EVE, [1, 3, 4, 5, 6])]),
    # closed by who asks: sign in, or never mind
    ("/api/memos", [(ANYONE, 401), (BOB, [1])]),
    ("/api/audits", [(ANYONE, 401), (BOB, 403), (STAFF, 403), (ADMIN, [1])]),
    ("/api/keys", [(ANYONE, 401), (BOB, 403), (ADMIN, 403)]),
    ("/api/keys/1", [(ANYONE, 401), (ADMIN, 403)]),
    # rows of a row
    ("/api/folders/1/docs", [(BOB, [1, 2]), (STAFF, [1, 2, 3]), (EVE, 404), (ANYONE, 404)]),
    ("/api/docs/1/tags", [(ANYONE, []), (BOB, [2]), (ADMIN, [1, 2])]),
    ("/api/docs/3/tags", [(ANYONE, 404), (BOB, 404), (EVE, []), (ADMIN, [1])]),
    ("/api/docs/1/audits", [(ANYONE, 404), (BOB, 404), (ADMIN, [1])]),
    # filters see through relations no more than lists do
    ("/api/docs?folder__name=Red+folder", [(ANYONE, []), (BOB, [1, 2]), (EVE, [])]),
    ("/api/docs?folder__isnull=true", [(ANYONE, [1, 5, 6]), (BOB, [5, 6]), (EVE, [1, 3, 6])]),
    ("/api/docs?filter=not+any(folder)", [(ANYONE, [1, 5, 6]), (BOB, [5, 6])]),
    ("/api/docs?tags__name=gossip", [(ANYONE, []), (BOB, [1, 5]), (STAFF, []), (ADMIN, [1, 5])]),
    ("/api/folders?docs__title=Doc+3", [(BOB, []), (STAFF, [1])]),
    ("/api/reviews?doc__title=Doc+3", [(BOB, []), (EVE, [3])]),
    ("/api/docs?reviews__stars=2", [(ANYONE, []), (BOB, [2]), (STAFF, [])]),
    ("/api/docs?audits__isnull=false", [(ANYONE, 400), (BOB, 400), (ADMIN, [1])]),
    # what is masked reads as null, so it is null to filters, to sorting and to counting
    ("/api/docs?price__gte=10", [(ANYONE, []), (BOB, [1, 2]), (STAFF, [1, 2, 3, 4, 5, 6])]),
    ("/api/docs?price__isnull=true", [(ANYONE, [1, 5, 6]), (BOB, [5, 6]), (STAFF, [])]),
    ("/api/docs?price__ne=0", [(ANYONE, []), (BOB, [1, 2])]),
    ("/api/docs?filter=not+price+%3D+10", [(ANYONE, []), (BOB, [2])]),
    ("/api/docs?filter=price+in+(10,50,60)", [(ANYONE, []), (BOB, [1])]),
    ("/api/docs?sort=-price", [(BOB, [5, 6, 2, 1]), (EVE, [1, 5, 6, 4, 3])]),
    ("/api/docs?sort=price", [(BOB, [1, 2, 5, 6]), (ANYONE, [1, 5, 6])]),
    ("/api/reviews?doc__price=60", [(BOB, []), (EVE, [6])]),
    ("/api/reviews?sort=-doc.price", [(BOB, [5, 6, 2, 1]), (EVE, [1, 5, 6, 4, 3])]),
    # a related row that is hidden sorts as one that is not there
    ("/api/docs?sort=folder.name", [(BOB, [1, 2, 5, 6]), (EVE, [4, 5, 1, 3, 6])]),
    ("/api/docs?sort=-folder.name", [(BOB, [5, 6, 1, 2]), (EVE, [1, 3, 6, 4, 5])]),
    # a field that is not for this caller is no field at all
    ("/api/docs?remark=remark1", [(ANYONE, 400), (BOB, 400), (STAFF, [1])]),
    ("/api/docs?sort=remark", [(BOB, 400), (STAFF, [1, 2, 3, 4, 5, 6])]),
    ("/api/docs?fields=id,remark", [(BOB, 400), (STAFF, [1, 2, 3, 4, 5, 6])]),
    ("/api/docs?filter=remark+is+null", [(BOB, 400), (STAFF, [])]),
    ("/api/reviews?doc__remark=remark1", [(BOB, 400), (STAFF, [1])]),
    ("/api/reviews?sort=doc.remark", [(BOB, 400), (ADMIN, [1, 5, 6])]),
    ("/api/docs?q=remark1", [(ANYONE, []), (BOB, []), (STAFF, [1])]),
    ("/api/docs?q=doc", [(BOB, [1, 2, 5, 6])]),
    ("/api/docs?secret=s", [(BOB, 400), (ADMIN, 400)]),
    ("/api/docs?q=s", [(ADMIN, [])]),
]


@pytest.mark.parametrize(
    ("path", "who", "seen"),
    [(path, who, seen) for path, scene in SCENES for who, seen in scene],
    ids=lambda value: value.id if isinstance(value, Actor) else None,
)
def test_scene(ask: Ask, path: str, who: Actor | None, seen: list[int] | int) -> None:
    answer = ask(path, by=who)

    assert ids(answer) == seen, answer.text


@pytest.mark.parametrize(("who", "total"), [(ANYONE, 3), (BOB, 4), (EVE, 5), (STAFF, 6)])
def test_only_rows_that_may_be_read_are_counted(ask: Ask, who: Actor | None, total: int) -> None:
    for counting in ("exact", "estimated"):
        assert ask(f"/api/docs?count={counting}&limit=1", by=who).json()["total"] == total


def test_only_values_that_may_be_read_are_answered(ask: Ask) -> None:
    row = {"id": 1, "title": "Doc 1", "draft": False, "author": "bob"}

    seen = [ask("/api/docs/1", by=who).json() for who in (ANYONE, BOB, STAFF)]

    assert seen == [
        {**row, "price": None, "folder_id": 1},
        {**row, "price": 10, "folder_id": 1},
        {**row, "price": 10, "remark": "remark1", "folder_id": 1},
    ]


EXPANDED: list[tuple[str, Actor | None, Any]] = [
    ("/api/docs/1?expand=folder&fields=id", ANYONE, {"id": 1, "folder": None}),
    (
        "/api/docs/1?expand=folder&fields=id",
        BOB,
        {"id": 1, "folder": {"id": 1, "name": "Red folder", "tenant": "red"}},
    ),
    ("/api/docs/1?expand=tags&fields=id,tags.id", ANYONE, {"id": 1, "tags": []}),
    ("/api/docs/1?expand=tags&fields=id,tags.id", BOB, {"id": 1, "tags": [{"id": 2}]}),
    (
        "/api/folders/1?expand=docs&fields=id,docs.id,docs.price",
        BOB,
        {"id": 1, "docs": [{"id": 1, "price": 10}, {"id": 2, "price": 20}]},
    ),
    (
        "/api/docs/6?expand=reviews.doc&fields=id,reviews.stars,reviews.doc.price",
        EVE,
        {"id": 6, "reviews": [{"stars": 6, "doc": {"price": 60}}]},
    ),
    (
        "/api/docs/6?expand=reviews.doc&fields=id,reviews.stars,reviews.doc.price",
        BOB,
        {"id": 6, "reviews": [{"stars": 6, "doc": {"price": None}}]},
    ),
]


@pytest.mark.parametrize(("path", "who", "seen"), EXPANDED)
def test_expanded_rows_are_those_that_may_be_read(
    ask: Ask, path: str, who: Actor | None, seen: Any
) -> None:
    assert ask(path, by=who).json() == seen


def told(answer: Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Everything an answer says but the marks of this very request."""
    headers = dict(answer.headers)
    for name in ("x-request-id", "server-timing"):
        headers.pop(name, None)
    body = answer.json() if answer.content else {}
    body.pop("request_id", None)
    return answer.status_code, body, headers


HIDDEN_AND_ABSENT = [
    ("/api/docs/3", "/api/docs/999"),
    ("/api/docs/3?expand=folder", "/api/docs/999?expand=folder"),
    ("/api/docs/3/tags", "/api/docs/999/tags"),
    ("/api/docs/3/tags?count=exact", "/api/docs/999/tags?count=exact"),
    ("/api/docs/3/tags?sort=name&limit=1", "/api/docs/999/tags?sort=name&limit=1"),
    ("/api/folders/2/docs", "/api/folders/999/docs"),
    ("/api/docs/3/audits", "/api/docs/3/absent"),
    ("/api/docs/1/audits", "/api/docs/1/absent"),
]


@pytest.mark.parametrize("media_type", ["application/json", "text/csv"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("hidden", "absent"), HIDDEN_AND_ABSENT)
def test_hidden_row_is_answered_as_one_that_is_not_there(
    ask: Ask, hidden: str, absent: str, method: str, media_type: str
) -> None:
    one, other = (
        ask(path, by=BOB, method=method, headers={"accept": media_type})
        for path in (hidden, absent)
    )

    status, body, headers = told(one)
    text = str((status, body, headers)).replace("audits", "absent")
    assert text == str(told(other)).replace("audits", "absent")
    assert status in (404, 406)


CLOSED = {
    "no credentials": ({}, 401, "unauthenticated", 'Bearer realm="tilth"'),
    "wrong token": (
        {"authorization": "Bearer wrong"},
        401,
        "invalid_credentials",
        'Bearer realm="tilth", error="invalid_token"',
    ),
    "malformed token": (
        {"authorization": "Bearer a b"},
        401,
        "invalid_credentials",
        'Bearer realm="tilth", error="invalid_token"',
    ),
    "unknown scheme": (
        {"authorization": "Basic Ym9iOmJvYg=="},
        401,
        "invalid_credentials",
        'Bearer realm="tilth", error="invalid_token"',
    ),
}


@pytest.mark.parametrize("case", CLOSED)
def test_refusal_says_how_to_sign_in(ask: Ask, case: str) -> None:
    headers, status, code, challenge = CLOSED[case]

    answer = ask("/api/memos", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["www-authenticate"] == challenge


@pytest.mark.parametrize("path", ["/api", "/api/docs", "/api/docs/1", "/openapi.json"])
def test_bad_credentials_are_refused_even_where_none_are_needed(ask: Ask, path: str) -> None:
    assert ask(path, headers={"authorization": "Bearer wrong"}).status_code == 401


def test_good_token_signs_in(ask: Ask) -> None:
    assert ids(ask("/api/docs", headers={"authorization": "Bearer right"})) == [1, 2, 5, 6]


def test_signed_in_without_the_role_is_403_without_a_challenge(ask: Ask) -> None:
    answer = ask("/api/audits", by=BOB)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "www-authenticate" not in answer.headers


WHISPERS = [
    "/api/docs?remrk=1",
    "/api/docs?secrt=1",
    "/api/docs?sort=remarks",
    "/api/docs?fields=remarkk",
    "/api/docs?expand=audit",
    "/api/docs?audit__id=1",
    "/api/docs?filter=secrett%3D1",
    "/api/docs?filter=any(audit)",
    "/api/docs/1/audit",
    "/api/docs/1?expand=tags,audit",
    "/api/reviews?doc__remrk=1",
    "/api/reviews?expand=doc.audit",
    "/api/audit",
]


@pytest.mark.parametrize("path", WHISPERS)
def test_no_mistake_is_answered_with_a_hint_at_what_is_hidden(ask: Ask, path: str) -> None:
    answer = ask(path, by=BOB)

    assert answer.status_code in (400, 404)
    said = answer.text.replace(path.partition("?")[2], "").split("Unknown")[-1]
    assert not {"remark", "secret", "audits", "keys"} & set(said.replace(",", " ").split())
    assert "Did you mean 'remark'" not in said
    assert "Did you mean 'audits'" not in said


def test_description_names_only_what_the_caller_may_read(ask: Ask) -> None:
    bobs = ask("/openapi.json", by=BOB).text
    everything = ask("/openapi.json", by=ADMIN).text

    assert [word in bobs for word in ("remark", "secret", "audits", "/api/keys", "/api/memos")] == [
        False,
        False,
        False,
        False,
        True,
    ]
    assert [word in everything for word in ("remark", "secret", "audits")] == [True, False, True]


def test_index_lists_only_what_the_caller_may_read(ask: Ask) -> None:
    def listed(who: Actor | None) -> set[str]:
        return {r["name"] for r in ask("/api", by=who).json()["resources"]}

    everyone = {"folders", "tags", "docs", "reviews"}
    assert [listed(who) - everyone for who in (ANYONE, BOB, ADMIN)] == [
        set(),
        {"memos"},
        {"memos", "audits"},
    ]


def test_options_tells_no_more_than_get(ask: Ask) -> None:
    statuses = [
        ask(path, method="OPTIONS", by=BOB).status_code
        for path in ("/api/docs/3", "/api/docs/999", "/api/audits", "/api/nothing")
    ]

    assert statuses == [204, 204, 403, 404]


def test_rule_with_a_name_of_another_type_denies(database_url: str, fill: Any, serve: Any) -> None:
    """me.id is text; where a number is owned by nobody of that name, nobody owns it."""
    fill(database_url, Base.metadata, world())
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Memo, Policy(read=Memo.id == me.id))
    app.expose(Folder, Policy(read=public))
    ask = serve(app)

    assert [ids(ask("/api/memos", by=Actor(name))) for name in ("1", "2", "x", "")] == [
        [1],
        [],
        [],
        [],
    ]
