"""HAL and HAL-FORMS: where to go from a row, and what the caller may do to it."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, ForeignKey, Numeric, String, Table, Text, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlmodel import Field, SQLModel

from tilth import Actor, Policy, Tilth, me, owner, public, role, signed_in
from tilth.adoption import adopt
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]
Row = dict[str, Any]

HAL = "application/hal+json"
FORMS = "application/prs.hal-forms+json"


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
    name: Mapped[str] = mapped_column(String(40))
    keeper: Mapped[str | None]
    docs: Mapped[list[Doc]] = relationship(back_populates="folder")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    audience: Mapped[str]
    docs: Mapped[list[Doc]] = relationship(secondary=labels, back_populates="tags")


class Doc(Base):
    __tablename__ = "doc"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(8))
    title: Mapped[str] = mapped_column(String(12), comment="What it is called.")
    text: Mapped[str | None] = mapped_column(Text)
    is_final: Mapped[bool | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    pages: Mapped[int] = mapped_column(default=1)
    due_on: Mapped[date | None]
    views: Mapped[int] = mapped_column(default=0)
    author: Mapped[str | None]
    remark: Mapped[str | None]
    secret: Mapped[str | None]
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    folder: Mapped[Folder | None] = relationship(back_populates="docs")
    tags: Mapped[list[Tag]] = relationship(secondary=labels, back_populates="docs")
    audits: Mapped[list[Audit]] = relationship(back_populates="doc")


class Audit(Base):
    """Nobody but an auditor may see that there are any."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    doc_id: Mapped[int] = mapped_column(ForeignKey("doc.id"))
    doc: Mapped[Doc] = relationship(back_populates="audits")


def world() -> list[Base]:
    attic, cellar = Folder(name="attic", keeper="bob"), Folder(name="cellar", keeper="chief")
    news, gossip = Tag(name="news", audience="all"), Tag(name="gossip", audience="press")

    def doc(code: str, author: str | None, folder: Folder | None, **rest: Any) -> Doc:
        return Doc(code=code, title=f"Doc {code}", author=author, folder=folder, **rest)

    docs = [
        doc("a", "bob", attic, is_final=False, remark="good", price=Decimal("1.50")),
        doc("b", "bob", attic, is_final=True, remark="bad"),
        doc("c", "eve", attic, is_final=None),
        doc("d", "eve", cellar, is_final=False, secret="s"),
        doc("e", None, None, is_final=False),
    ]
    docs[0].tags, docs[2].tags, docs[3].tags = [news, gossip], [news], [gossip]
    return [*docs, cellar, Audit(doc=docs[2])]


def application(url: str) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    app.expose(Folder, Policy(read=public, update=owner("keeper"), create=role("chief")))
    app.expose(Tag, Policy(read=public, update=Tag.audience.in_(me.roles), create=signed_in))
    app.expose(
        Doc,
        Policy(
            read=public,
            # Of a doc whose state is not known, the second rule says neither yes nor no.
            update=owner("author") | role("chief"),
            delete=(owner("author") & Doc.is_final.is_(False)) | (role("chief") & ~Doc.is_final),
            create=signed_in,
            hidden=("secret",),
            read_only=("views",),
            write_once=("code",),
            preset={"author": me.id},
            fields={
                "remark": owner("author") | Doc.folder.has(Folder.keeper == me.id),
                "price": signed_in,
            },
            link={"tags": Tag.audience != "press"},
        ),
        search=["title"],
    )
    app.expose(Audit, Policy(read=role("auditor"), write=role("auditor")))
    return app


@pytest.fixture(scope="module")
def filled(module_url: str, fill: Any) -> str:
    fill(module_url, Base.metadata, world())
    return module_url


@pytest.fixture(scope="module")
def ask(filled: str, serve_for_module: Any) -> Ask:
    """Nothing is kept: whoever writes rehearses."""
    asked: Ask = serve_for_module(application(filled))
    return asked


ACTORS: dict[str, Actor | None] = {
    "anyone": None,
    "bob": Actor("bob"),
    "eve of the press": Actor("eve", roles=frozenset({"press", "all"})),
    "the chief": Actor("chief", roles=frozenset({"chief"})),
    "an auditor": Actor("ann", roles=frozenset({"auditor", "all"})),
}


def read(ask: Ask, path: str, media_type: str = FORMS, by: Actor | None = None) -> Row:
    answer = ask(path, by=by, headers={"accept": media_type})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    found: Row = answer.json()
    return found


def offers(document: Row) -> list[str]:
    """By what they do, whichever is the default."""
    return sorted(template["title"] for template in document["_templates"].values())


def rehearse(ask: Ask, by: Actor | None, method: str, path: str, body: Any = None) -> int:
    """Status of a request of which nothing is kept."""
    sent = {} if body is None else {"json": body}
    headers = {"prefer": "dry-run"}
    return ask(path, by=by, method=method, headers=headers, **sent).status_code


# Links


def test_row_leads_to_itself_its_collection_and_its_relations(ask: Ask) -> None:
    document = read(ask, "/api/docs/1?fields=title", HAL)

    assert document == {
        "title": "Doc a",
        "_links": {
            "self": {"href": "/api/docs/1"},
            "folder": {"href": "/api/folders/1"},
            "tags": {"href": "/api/docs/1/tags"},
            "collection": {"href": "/api/docs"},
        },
    }
    assert all(ask(link["href"]).status_code == 200 for link in document["_links"].values())


def test_row_without_a_related_row_has_no_link_to_it(ask: Ask) -> None:
    assert "folder" not in read(ask, "/api/docs/5", HAL)["_links"]


def test_expanded_rows_are_embedded_with_links_of_their_own(ask: Ask) -> None:
    path = "/api/folders/1?fields=name,docs.title,docs.tags.name&expand=docs.tags"
    document = read(ask, path, HAL)

    docs = document["_embedded"]["docs"]
    assert [doc["title"] for doc in docs] == ["Doc a", "Doc b", "Doc c"]
    assert docs[0]["_links"]["self"] == {"href": "/api/docs/1"}
    assert docs[0]["_links"]["folder"] == {"href": "/api/folders/1"}
    assert docs[0]["_embedded"]["tags"][0] == {
        "name": "news",
        "_links": {"self": {"href": "/api/tags/1"}, "docs": {"href": "/api/tags/1/docs"}},
    }


def test_related_row_that_is_not_there_is_not_embedded(ask: Ask) -> None:
    assert read(ask, "/api/docs/5?expand=folder", HAL)["_embedded"] == {}


def test_pages_lead_to_each_other(ask: Ask) -> None:
    first = read(ask, "/api/docs?limit=2&sort=-id&count=exact", HAL)
    second = read(ask, first["_links"]["next"]["href"], HAL)
    again = read(ask, second["_links"]["prev"]["href"], HAL)

    assert [row["code"] for row in first["_embedded"]["item"]] == ["e", "d"]
    assert [row["code"] for row in second["_embedded"]["item"]] == ["c", "b"]
    assert again["_embedded"] == first["_embedded"]
    assert (first["total"], "prev" in first["_links"]) == (5, False)
    assert first["_links"]["self"] == {"href": "/api/docs?limit=2&sort=-id&count=exact"}


def test_row_without_a_key_has_no_address(
    database_url: str, fill: Any, serve: Callable[[Tilth], Ask]
) -> None:
    fill(database_url, Base.metadata, world())
    engine = sync_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW pages AS SELECT title FROM doc WHERE code = 'a'"))
    engine.dispose()
    ask = serve(adopt(database_url))

    [row] = read(ask, "/api/pages")["_embedded"]["item"]

    assert row == {"title": "Doc a", "_links": {}, "_templates": {}}


# Forms

OFFERED = {
    "anyone": [[], [], [], [], []],
    "bob": [["delete", "replace", "update"], ["replace", "update"], [], [], []],
    "eve of the press": [
        [], [], ["replace", "update"], ["delete", "replace", "update"], []
    ],
    "the chief": [
        ["delete", "replace", "update"],
        ["replace", "update"],
        ["replace", "update"],
        ["delete", "replace", "update"],
        ["delete", "replace", "update"],
    ],
    "an auditor": [[], [], [], [], []],
}  # fmt: skip


@pytest.mark.parametrize("who", OFFERED)
def test_each_row_offers_what_this_caller_may_do_to_it(ask: Ask, who: str) -> None:
    by = ACTORS[who]

    rows = read(ask, "/api/docs", by=by)["_embedded"]["item"]

    assert [offers(row) for row in rows] == OFFERED[who]
    alone = [read(ask, row["_links"]["self"]["href"], by=by)["_templates"] for row in rows]
    assert alone == [row["_templates"] for row in rows]


@pytest.mark.parametrize("who", ACTORS)
def test_embedded_row_offers_the_same(ask: Ask, who: str) -> None:
    by = ACTORS[who]

    folder = read(ask, "/api/folders/1?expand=docs.folder", by=by)

    for doc in folder["_embedded"]["docs"]:
        alone = read(ask, doc["_links"]["self"]["href"], by=by)
        assert doc["_templates"] == alone["_templates"]
        assert doc["_embedded"]["folder"]["_templates"] == folder["_templates"]


@pytest.mark.parametrize("who", ACTORS)
def test_what_is_offered_is_done_and_what_is_not_is_refused(ask: Ask, who: str) -> None:
    by = ACTORS[who]
    done, refused = [], []
    for path in COLLECTIONS:
        for place, row, templates in places(path, read(ask, path, by=by)):
            for template in templates:
                status = submit(ask, by, template, row)
                done.append((template["title"], place, status))
            for method in METHODS - {template["method"] for template in templates}:
                body = BODIES[method == "POST", path.split("/")[-1]]
                status = rehearse(ask, by, method, place, body)
                refused.append((method, place, status))

    assert [each for each in done if each[2] not in (200, 201, 204)] == []
    assert [each for each in refused if each[2] not in (400, 401, 403, 405)] == []
    assert len(done) + len(refused) > 100


METHODS = {"POST", "PUT", "PATCH", "DELETE"}
COLLECTIONS = (
    "/api/docs", "/api/folders", "/api/tags", "/api/folders/1/docs",
    "/api/docs/1/tags", "/api/docs/3/tags", "/api/docs/4/tags", "/api/tags/1/docs", "/api/tags/2/docs",
)  # fmt: skip
BODIES: dict[tuple[bool, str], Row] = {
    (True, "docs"): {"title": "x", "code": "x"},
    (False, "docs"): {"title": "x"},
    **{(creates, "folders"): {"name": "x"} for creates in (True, False)},
    **{(creates, "tags"): {"name": "x", "audience": "x"} for creates in (True, False)},
}
"""Whether it is for a new row, and of what → a body that is good."""


def places(path: str, document: Row) -> Iterator[tuple[str, Row, list[Row]]]:
    """(address, the row there, templates with that target): a collection and all that is in it."""
    yield path, {}, list(document["_templates"].values())
    for row in document["_embedded"]["item"]:
        own = row["_links"]["self"]["href"]
        templates = list(row["_templates"].values())
        yield own, row, [each for each in templates if each["target"] == own]
        if path.count("/") > 3 and "folders" not in path:
            link = f"{path}/{row['id']}"
            offered = [each for each in templates if each["target"] == link]
            # No form offers to link: whether it can be done goes by whether it can be undone.
            linking = [{"title": "link", "method": "PUT", "target": link} for _ in offered]
            yield link, row, [*offered, *linking]


def submit(ask: Ask, by: Actor | None, template: Row, row: Row) -> int:
    """As a client does that knows HAL-FORMS and nothing else. row: what the form begins with."""
    described = template.get("properties")
    if described is None:
        return rehearse(ask, by, template["method"], template["target"])
    known = {name: value for name, value in row.items() if value is not None}
    body = {p["name"]: known.get(p["name"], value_for(ask, by, p)) for p in described}
    return rehearse(ask, by, template["method"], template["target"], body)


def value_for(ask: Ask, by: Actor | None, described: Row) -> Any:
    options = described.get("options", {})
    if "inline" in options:
        return options["inline"][-1]
    if "link" in options:
        listed = ask(
            options["link"]["href"], by=by, headers={"accept": options["link"]["type"]}
        ).text
        row = next(csv.DictReader(io.StringIO(listed)))
        return int(row[options["valueField"]])
    match described.get("type", "text"):
        case "number":
            return described.get("max", described.get("step", 1))
        case "checkbox":
            return False
        case "date":
            return "2026-02-01"
    return "x" * described.get("maxLength", 30)


@pytest.mark.parametrize("who", ["bob", "eve of the press", "the chief"])
def test_field_is_offered_exactly_where_it_is_accepted(ask: Ask, who: str) -> None:
    by = ACTORS[who]
    for row in read(ask, "/api/docs", by=by)["_embedded"]["item"]:
        if "update" not in offers(row):
            continue
        [update] = [t for t in row["_templates"].values() if t["title"] == "update"]
        values = {each["name"]: value_for(ask, by, each) for each in update["properties"]}
        for name in (attribute.key for attribute in inspect(Doc).column_attrs):
            body = {name: values.get(name, "x")}
            status = rehearse(ask, by, "PATCH", update["target"], body)
            assert (name, status) == (name, 200 if name in values else 422)


def test_masked_field_is_offered_on_the_rows_where_it_may_be_read(ask: Ask) -> None:
    def has_remark(path: str, who: str) -> bool:
        form = read(ask, path, by=ACTORS[who])["_templates"]["default"]
        return "remark" in [each["name"] for each in form["properties"]]

    assert has_remark("/api/docs/1", "bob")
    assert [has_remark(f"/api/docs/{key}", "the chief") for key in (1, 4)] == [False, True]


def test_form_says_what_a_body_takes(ask: Ask) -> None:
    by = ACTORS["the chief"]
    form = read(ask, "/api/docs", by=by)["_templates"]["default"]

    assert {name: form[name] for name in ("title", "method", "target", "contentType")} == {
        "title": "create",
        "method": "POST",
        "target": "/api/docs",
        "contentType": "application/json",
    }
    folders = {"href": "/api/folders?fields=id,name", "type": "text/csv"}
    assert form["properties"] == [
        {"name": "code", "type": "text", "required": True, "maxLength": 8},
        {"name": "title", "prompt": "What it is called.", "type": "text", "required": True, "maxLength": 12},
        {"name": "text", "type": "textarea", "required": False},
        {"name": "is_final", "type": "checkbox", "required": False},
        {"name": "price", "type": "number", "required": False, "step": 0.01},
        {"name": "pages", "type": "number", "required": False, "min": -(2**31), "max": 2**31 - 1},
        {"name": "due_on", "type": "date", "required": False},
        {"name": "remark", "type": "text", "required": False},
        {
            "name": "folder_id",
            "type": "number",
            "required": False,
            "min": -(2**31),
            "max": 2**31 - 1,
            "options": {
                "link": folders, "valueField": "id", "promptField": "name", "minItems": 0, "maxItems": 1,
            },
        },
    ]  # fmt: skip


class Grade(enum.Enum):
    low = "L"
    high = "H"


class Climb(SQLModel, table=True):
    __tablename__ = "hypermedia_climb"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(min_length=2, max_length=20)
    grade: Grade
    metres: int | None = Field(default=None, gt=10, le=8848)


def test_form_tells_what_the_model_asks(
    database_url: str, fill: Any, serve: Callable[[Tilth], Ask]
) -> None:
    fill(database_url, Climb.metadata)
    app = Tilth(database_url)
    app.expose(Climb, Policy(read=public, create=public))

    form = read(serve(app), "/api/climbs")["_templates"]["default"]

    assert form["properties"] == [
        {"name": "name", "type": "text", "required": True, "minLength": 2, "maxLength": 20},
        {
            "name": "grade",
            "type": "text",
            "required": True,
            "options": {"inline": ["L", "H"], "minItems": 1, "maxItems": 1},
        },
        {"name": "metres", "type": "number", "required": False, "min": 11, "max": 8848},
    ]


def test_update_is_a_merge_patch_of_which_nothing_is_required(ask: Ask) -> None:
    templates = read(ask, "/api/docs/1", by=ACTORS["bob"])["_templates"]
    update, put = templates["default"], templates["replace"]

    assert (update["method"], update["contentType"]) == ("PATCH", "application/merge-patch+json")
    assert not any(each["required"] for each in update["properties"])
    assert [each["name"] for each in put["properties"] if each["required"]] == ["title"]
    assert templates["delete"] == {"title": "delete", "method": "DELETE", "target": "/api/docs/1"}


def test_row_created_below_another_is_not_asked_whose_it_is(ask: Ask) -> None:
    form = read(ask, "/api/folders/2/docs", by=ACTORS["bob"])["_templates"]["default"]

    assert form["target"] == "/api/folders/2/docs"
    assert "folder_id" not in [each["name"] for each in form["properties"]]


def test_one_of_the_templates_is_the_default(ask: Ask) -> None:
    tags = read(ask, "/api/docs/3/tags", by=ACTORS["eve of the press"])

    assert list(tags["_templates"]) == ["default"]
    assert [list(row["_templates"]) for row in tags["_embedded"]["item"]] == [
        ["default", "replace", "unlink"]
    ]


# What is hidden stays hidden


@pytest.mark.parametrize("media_type", [HAL, FORMS])
def test_hidden_names_are_in_no_document(ask: Ask, media_type: str) -> None:
    by = ACTORS["the chief"]
    asked = ["/api/docs", "/api/docs/1", "/api/docs?expand=folder.docs", "/api/folders/1/docs"]
    answers = [ask(path, by=by, headers={"accept": media_type}).text for path in asked]

    assert not any(name in answer for answer in answers for name in ("secret", "audit"))
    assert "audits" in read(ask, "/api/docs/1", HAL, by=ACTORS["an auditor"])["_links"]
    anonymous = ask("/api/docs/1", headers={"accept": media_type}).text
    assert "price" not in anonymous


REFERENCES = {
    "masked on some rows": (Policy(read=public, fields={"folder_id": owner("author")}), 2),
    "for others": (Policy(read=public, fields={"folder_id": role("chief")}), 0),
    "hidden": (Policy(read=public, hidden=("folder_id",)), 0),
    "read by all": (Policy(read=public), 4),
}


@pytest.mark.parametrize("case", REFERENCES)
def test_reference_leads_somewhere_where_it_may_be_read(
    filled: str, serve: Callable[[Tilth], Ask], case: str
) -> None:
    policy, leading = REFERENCES[case]
    app = Tilth(filled, readers=[actor_reader])
    app.expose(Folder, Policy(read=public))
    app.expose(Doc, policy)

    rows = read(serve(app), "/api/docs", by=ACTORS["bob"])["_embedded"]["item"]

    assert ["folder" in row["_links"] for row in rows] == [place < leading for place in range(5)]


def test_expanded_row_that_may_not_be_read_has_no_link(
    filled: str, serve: Callable[[Tilth], Ask]
) -> None:
    app = Tilth(filled, readers=[actor_reader])
    app.expose(Folder, Policy(read=owner("keeper")))
    app.expose(Doc, Policy(read=public))

    page = read(serve(app), "/api/docs?expand=folder", HAL, by=ACTORS["bob"])

    rows = page["_embedded"]["item"]
    seen = [("folder" in row["_links"], "folder" in row["_embedded"]) for row in rows]
    assert seen == [(True, True)] * 3 + [(False, False)] * 2


# One statement, and headers


@pytest.mark.parametrize("media_type", [HAL, FORMS])
@pytest.mark.parametrize(
    "path",
    [
        "/api/docs",
        "/api/docs/1?expand=folder.docs,tags",
        "/api/docs?expand=folder.docs.tags&sort=-folder.name&count=exact&q=doc",
        "/api/folders?expand=docs&filter=any(docs)",
        "/api/folders/1/docs?count=exact",
        "/api/docs/1/tags?expand=docs&limit=1&count=exact",
    ],
)
def test_document_takes_one_statement(
    filled: str, serve_recorded: Any, path: str, media_type: str
) -> None:
    ask, statements = serve_recorded(application(filled))

    read(ask, path, media_type, by=ACTORS["bob"])

    assert len(statements) == 1


@pytest.mark.parametrize(
    ("who", "path", "allowed"),
    [
        ("anyone", "/api/docs/1", "GET, HEAD, OPTIONS"),
        ("bob", "/api/docs/1", "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"),
        ("bob", "/api/docs/2", "GET, HEAD, OPTIONS, PUT, PATCH"),
        ("anyone", "/api/docs", "GET, HEAD, OPTIONS"),
        ("bob", "/api/docs", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_allow_tells_what_this_caller_may_do_here(
    ask: Ask, who: str, path: str, allowed: str
) -> None:
    for method in ("GET", "HEAD"):
        answer = ask(path, by=ACTORS[who], method=method, headers={"accept": FORMS})
        assert answer.headers["allow"] == allowed
    assert "allow" not in ask(path, by=ACTORS[who]).headers


@pytest.mark.parametrize("media_type", [HAL, FORMS])
def test_tag_of_a_document_names_the_row_and_the_document(ask: Ask, media_type: str) -> None:
    by = ACTORS["bob"]
    plain = ask("/api/docs/1", by=by)
    drawn = ask("/api/docs/1", by=by, headers={"accept": media_type})

    [row, whole], [same, other] = (a.headers["etag"].split(".") for a in (plain, drawn))
    assert (row == same, whole == other) == (True, False)
    assert drawn.headers["vary"] == plain.headers["vary"] == "Accept, Authorization"
    assert drawn.headers["link"] == plain.headers["link"]
    known = {"accept": media_type, "if-none-match": drawn.headers["etag"]}
    assert ask("/api/docs/1", by=by, headers=known).status_code == 304
    change = {"if-match": drawn.headers["etag"], "prefer": "dry-run"}
    patched = ask("/api/docs/1", by=by, method="PATCH", json={"pages": 2}, headers=change)
    assert patched.status_code == 200


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/1"])
def test_media_type_that_is_not_here_is_told_of_those_that_are(ask: Ask, path: str) -> None:
    refused = ask(path, headers={"accept": "application/vnd.api+json"})

    assert refused.status_code == 406
    assert [each in refused.json()["detail"] for each in (HAL, FORMS)] == [True, True]


# Writing


@pytest.mark.parametrize("media_type", [HAL, FORMS])
def test_row_that_was_written_is_answered_as_a_get_answers_it(
    database_url: str, fill: Any, serve: Callable[[Tilth], Ask], media_type: str
) -> None:
    fill(database_url, Base.metadata, world())
    ask, by, accept = serve(application(database_url)), ACTORS["bob"], {"accept": media_type}

    body = {"code": "n", "title": "New", "folder_id": 1, "is_final": False}
    created = ask("/api/docs", by=by, method="POST", json=body, headers=accept)
    where = created.headers["location"]
    assert (created.status_code, created.headers["content-type"]) == (201, media_type)
    _same(created, ask(where, by=by, headers=accept))

    # What is no longer a draft can no longer be deleted.
    patched = ask(where, by=by, method="PATCH", json={"is_final": True}, headers=accept)
    assert media_type == HAL or offers(patched.json()) == ["replace", "update"]
    _same(patched, ask(where, by=by, headers=accept))


def _same(written: Response, answered: Response) -> None:
    assert written.content == answered.content
    for name in ("etag", "content-type", "vary"):
        assert written.headers[name] == answered.headers[name]
    assert written.headers.get("allow") == answered.headers.get("allow")


def test_database_that_is_not_ours_offers_nothing(
    filled: str, serve: Callable[[Tilth], Ask]
) -> None:
    app = Tilth(filled, readers=[actor_reader], read_only=True)
    app.expose(Folder, Policy(read=public))
    ask = serve(app)

    assert read(ask, "/api/folders")["_templates"] == {}
    assert read(ask, "/api/folders/1")["_templates"] == {}


class Wish(Base):
    """Each makes their own, and nobody in particular none."""

    __tablename__ = "wish"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]


def test_what_nobody_can_do_is_not_offered_to_nobody(
    database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]
) -> None:
    fill(database_url, Base.metadata)
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Wish, Policy(read=public, create=Wish.owner == me.id))
    ask = serve(app)
    ann = Actor("ann")

    def offered(by: Actor | None) -> list[bool]:
        answer = ask("/api/wishes", headers={"accept": FORMS}, by=by)
        methods = ask("/openapi.json", by=by).json()["paths"]["/api/wishes"]
        allowed = ask("/api/wishes", method="OPTIONS", by=by).headers["allow"]
        forms = {each["method"] for each in answer.json()["_templates"].values()}
        return ["POST" in forms, "post" in methods, "POST" in allowed]

    assert (offered(None), offered(ann)) == ([False] * 3, [True] * 3)
    assert ask("/api/wishes", method="POST", json={"owner": "ann"}).status_code == 401
    assert ask("/api/wishes", method="POST", json={"owner": "ann"}, by=ann).status_code == 201
