"""A route of the developer's own that hides a generated one is told before anybody wonders."""

from __future__ import annotations

import pytest
from fastapi import APIRouter
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Policy, Tilth, public


class Base(DeclarativeBase):
    pass


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)


def warnings_with(router: APIRouter) -> list[tuple[str, str, str]]:
    app = Tilth("sqlite://")
    app.include_router(router)
    app.expose(Hero, Policy(read=public))
    return [(each.level, each.code, each.subject) for each in app.check()]


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/heroes", "/api/heroes"),
        ("/api/heroes/{key}", "/api/heroes/…"),
        ("/api/{name}", "/api/heroes"),
        ("/{path:path}", "/api/heroes"),
    ],
)
def test_route_in_front_of_a_generated_one_is_a_warning(path: str, address: str) -> None:
    router = APIRouter()

    @router.get(path)
    async def own() -> None: ...

    assert warnings_with(router) == [("warning", "api.shadowed", f"GET {address}")]


@pytest.mark.parametrize("path", ["/heroes", "/api/heroes/stats", "/api/heroes/{key}/portrait"])
def test_route_beside_the_generated_ones_is_none(path: str) -> None:
    router = APIRouter()

    @router.get(path)
    async def own() -> None: ...

    @router.post("/api/heroes")
    async def create() -> None: ...

    assert warnings_with(router) == []


def test_warning_says_where_the_route_is() -> None:
    app = Tilth("sqlite://")
    app.expose(Hero, Policy(read=public))

    @app.get("/api/heroes")
    async def own() -> None: ...

    [found] = app.check()
    assert str(found.where).startswith(f"{__file__}:")
