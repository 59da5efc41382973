"""Conditional requests and caching headers: an entity tag is of the row as the caller may read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, owner, public, role
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]
Change = Callable[..., None]

BOB, EVE, BOSS = Actor("bob"), Actor("eve"), Actor("max", roles=frozenset({"boss"}))


class Base(DeclarativeBase):
    pass


class Firm(Base):
    __tablename__ = "firm"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Worker(Base):
    __tablename__ = "worker"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    login: Mapped[str]
    wage: Mapped[int]
    password: Mapped[str]
    firm_id: Mapped[int] = mapped_column(ForeignKey("firm.id"))
    firm: Mapped[Firm] = relationship()


@pytest.fixture(scope="module")
def ask(module_url: str, fill: Any, serve_for_module: Any) -> Ask:
    firm = Firm(id=1, name="Mill")
    worker = Worker(id=1, name="Bob", login="bob", wage=5, password="x", firm=firm)
    fill(module_url, Base.metadata, [worker])
    app = Tilth(module_url, readers=[actor_reader])
    app.expose(Firm, Policy(read=public), cache="public, max-age=60")
    wage = owner("login") | role("boss")
    app.expose(Worker, Policy(read=public, hidden=("password",), fields={"wage": wage}))
    served: Ask = serve_for_module(app)
    return served


@pytest.fixture
def change(module_url: str) -> Change:
    """change(name=value …) of the one worker."""
    engine = sync_engine(module_url)

    def change(**values: object) -> None:
        with engine.begin() as connection:
            connection.execute(update(Worker).values(values))
        engine.dispose()

    return change


WORKER, LIST = "/api/workers/1", "/api/workers"


def tag(answer: Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def row_part(answer: Response) -> str:
    return tag(answer).strip('"').partition(".")[0]


@pytest.mark.parametrize("path", [WORKER, LIST, "/api/workers?count=exact&expand=firm"])
def test_answer_that_did_not_change_keeps_a_strong_tag(ask: Ask, path: str) -> None:
    first, second = ask(path), ask(path)

    assert tag(first) == tag(second)
    assert tag(first).startswith('"')


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/api", WORKER, LIST])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_client_that_has_it_is_told_so(ask: Ask, path: str, method: str, form: str) -> None:
    etag = tag(ask(path))

    answer = ask(path, method=method, headers={"if-none-match": form.format(etag)})

    assert (answer.status_code, answer.content) == (304, b"")
    kept = {name: answer.headers[name] for name in ("etag", "cache-control", "vary")}
    vary = "Accept, Authorization"
    assert kept == {"etag": etag, "cache-control": "private, no-cache", "vary": vary}


def test_client_that_has_another_is_answered(ask: Ask) -> None:
    assert ask(WORKER, headers={"if-none-match": '"other"'}).status_code == 200


def test_row_that_is_not_there_is_404_whatever_the_client_has(ask: Ask) -> None:
    assert ask("/api/workers/2", headers={"if-none-match": "*"}).status_code == 404


@pytest.mark.parametrize("query", ["?fields=id", "?fields=name,login", "?expand=firm"])
def test_row_part_of_the_tag_is_of_the_whole_row(ask: Ask, query: str) -> None:
    whole, part = ask(WORKER), ask(WORKER + query)

    assert row_part(part) == row_part(whole)
    assert tag(part) != tag(whole)


def test_tag_changes_with_a_field_that_may_be_read(ask: Ask, change: Change) -> None:
    before, partly = ask(WORKER), ask(f"{WORKER}?fields=id")
    change(name="Robert")

    assert row_part(ask(WORKER)) != row_part(before)
    assert tag(ask(f"{WORKER}?fields=id")) != tag(partly)


def test_tag_does_not_change_with_a_field_nobody_may_read(ask: Ask, change: Change) -> None:
    before = ask(WORKER), ask(LIST)
    change(password="y")

    assert [tag(ask(WORKER)), tag(ask(LIST))] == [tag(answer) for answer in before]


def test_tag_changes_with_a_masked_field_for_those_who_read_it_only(
    ask: Ask, change: Change
) -> None:
    before = {who: tag(ask(WORKER, by=who)) for who in (BOB, EVE, BOSS)}
    change(wage=6)
    after = {who: tag(ask(WORKER, by=who)) for who in (BOB, EVE, BOSS)}

    assert [before[who] == after[who] for who in (BOB, EVE, BOSS)] == [False, True, False]


def test_those_who_read_different_things_have_different_tags(ask: Ask) -> None:
    assert tag(ask(WORKER, by=BOB)) != tag(ask(WORKER, by=EVE))


def test_cache_control_is_as_exposed(ask: Ask) -> None:
    answers = [ask("/api/firms"), ask("/api/firms/1")]

    assert {a.headers["cache-control"] for a in answers} == {"public, max-age=60"}


@pytest.mark.parametrize("media_type", ["application/json", "text/csv", "application/x-ndjson"])
def test_each_media_type_names_what_it_varies_by(ask: Ask, media_type: str) -> None:
    answer = ask(LIST, headers={"accept": media_type})

    assert answer.headers["vary"] == "Accept, Authorization"
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/api/nothing", "/api/workers/2", "/api/workers?sort=x"])
def test_problem_has_no_tag(ask: Ask, path: str) -> None:
    assert "etag" not in ask(path).headers
