"""The developer's own functions see every change before it is made, and may alter or refuse it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, WritePlan, me, public
from tilth.errors import Fault, Forbidden, invalid
from tilth.testing import actor_reader

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    slug: Mapped[str] = mapped_column(String(20))
    owner: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(String(20), unique=True)
    lines: Mapped[list[Line]] = relationship(back_populates="order")


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"))
    order: Mapped[Order] = relationship(back_populates="lines")


def with_slug(plan: WritePlan) -> WritePlan:
    if "title" not in plan.values:
        return plan
    return plan.with_values(slug=plan.values["title"].lower(), note="made")


def odd(plan: WritePlan) -> WritePlan:
    if plan.values.get("number", 1) % 2 == 0:
        raise invalid([Fault("/number", "even", "Must be odd.")])
    return plan


def kept(plan: WritePlan) -> WritePlan:
    if plan.action == "delete":
        raise Forbidden("Orders are kept.")
    return plan


def doubled(plan: WritePlan) -> WritePlan:
    return plan.with_values(number=plan.values["number"] * 10) if plan.values else plan


POLICY = Policy(
    read=public,
    write=public,
    read_only=("slug",),
    preset={"owner": me.id},
    # Nobody but the owner sees the note, and yet it is written for everybody.
    fields={"note": Order.owner == me.id},
)


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(database_url, Base.metadata)
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Order, POLICY, before=[with_slug, kept])
    app.expose(Line, Policy(read=public, write=public), before=[odd, doubled])
    return serve(app)


def order(ask: Ask, body: Any, **options: Any) -> Response:
    return ask("/api/orders", method="POST", json=body, **options)


def test_value_of_a_function_is_written_though_the_client_may_not_send_it(ask: Ask) -> None:
    created = order(ask, {"title": "Desk"}, by=Actor("ann"))

    assert (created.json()["slug"], created.json()["note"]) == ("desk", "made")
    assert order(ask, {"title": "Desk", "slug": "x"}).status_code == 422


def test_masked_field_is_written_by_a_function_and_stays_masked(ask: Ask) -> None:
    where = order(ask, {"title": "Desk"}, by=Actor("ann")).headers["location"]

    patched = ask(where, method="PATCH", json={"title": "Sofa"}, by=Actor("bob"))

    assert (patched.status_code, patched.json()["slug"], patched.json()["note"]) == (
        200,
        "sofa",
        None,
    )
    refused = ask(where, method="PATCH", json={"note": "mine"}, by=Actor("bob"))
    assert refused.status_code == 422


def test_no_way_to_change_many_rows_leads_past_the_functions(ask: Ask) -> None:
    def slugs() -> list[str]:
        return [row["slug"] for row in ask("/api/orders").json()["items"]]

    order(ask, [{"title": "A", "code": "a"}, {"title": "B", "code": "b"}])
    assert slugs() == ["a", "b"]
    careful = {"prefer": "max-affected=9"}
    ask("/api/orders?slug=b", method="PATCH", json={"title": "C"}, headers=careful)
    assert slugs() == ["a", "c"]
    merge = {"prefer": "resolution=merge"}
    body = {"title": "D", "code": "a"}
    ask("/api/orders?on=code", method="POST", json=body, headers=merge)
    assert slugs() == ["d", "c"]
    operations = [{"method": "PATCH", "path": "/api/orders/1", "body": {"title": "E"}}]
    ask("/api/batch", method="POST", json={"operations": operations})
    assert slugs() == ["e", "c"]
    assert ask("/api/orders?slug=c", method="DELETE", headers=careful).status_code == 403


def test_functions_are_asked_in_order_for_every_row_below(ask: Ask) -> None:
    created = order(ask, {"title": "Desk", "lines": [{"number": 1}, {"number": 3}]})

    lines = ask(f"{created.headers['location']}/lines").json()["items"]
    assert [line["number"] for line in lines] == [10, 30]


def test_faults_of_all_rows_come_in_one_answer(ask: Ask) -> None:
    lines = [{"number": 2}, {"number": 3}, {"number": 4}]
    refused = order(ask, {"title": "Desk", "lines": lines})

    places = [(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]]
    assert (refused.status_code, places) == (
        422,
        [("/lines/0/number", "even"), ("/lines/2/number", "even")],
    )
    assert ask("/api/orders").json()["items"] == []


def test_function_may_forbid(ask: Ask) -> None:
    where = order(ask, {"title": "Desk"}).headers["location"]

    refused = ask(where, method="DELETE")

    assert (refused.status_code, refused.json()["detail"]) == (403, "Orders are kept.")
    assert ask(where).status_code == 200


MISTAKES: dict[str, Callable[[WritePlan], Any]] = {
    "must return the plan": lambda plan: None,
    "Did you mean 'title'": lambda plan: plan.with_values(titel="x"),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_mistake_in_a_function_says_what_it_is(
    sqlite_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask], sentence: str
) -> None:
    fill(sqlite_url, Base.metadata)
    app = Tilth(sqlite_url)
    app.expose(Order, Policy(read=public, write=public), before=[MISTAKES[sentence]])

    with pytest.raises(TypeError, match=sentence):
        order(serve(app), {"title": "Desk", "slug": "desk"})
