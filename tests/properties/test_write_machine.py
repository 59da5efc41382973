"""Any sequence of changes by two actors leaves what a plain-Python reading of them says.

The same machine runs on both databases: create, patch, replace, link, unlink, delete, with current,
stale and no conditions, allowed and not, one by one, in batches and several at the same time. After
each step everything is read back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Column, Engine, ForeignKey, Table, delete
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me, public, role
from tilth.kernel.store.outbox import EVENTS, OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.testing import acting, actor_reader

ANN, BEN = Actor("ann"), Actor("ben", roles=frozenset({"admin"}))
NAMES = ("a", "b", "c")


class Base(DeclarativeBase):
    pass


on = Table(
    "on_item",
    Base.metadata,
    Column("item_id", ForeignKey("item.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Shop(Base):
    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    stock: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str]
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id"))
    shop: Mapped[Shop | None] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary=on)


@dataclass(frozen=True)
class Thing:
    """An item as it should be. tags: keys of tags."""

    title: str
    stock: int
    owner: str
    shop_id: int | None
    tags: frozenset[int] = frozenset()

    def shown(self, key: int) -> dict[str, Any]:
        values = {"title": self.title, "stock": self.stock, "owner": self.owner}
        return {"id": key, **values, "shop_id": self.shop_id}


@dataclass
class World:
    """What there should be. events: how many changes have been told."""

    shops: dict[int, str] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)
    items: dict[int, Thing] = field(default_factory=dict)
    events: int = 0


STEPS = ("shop", "item", "rename", "drop")


@dataclass
class Attempt:
    """A batch as it should go. world: as it will be; new rows have the negative of their place + 1.

    status: 200, or that of the first operation that is refused.
    """

    world: World
    by: Actor
    operations: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    def add(self, step: str, name: str, key: int) -> None:
        place = -len(self.operations) - 1
        refused = {
            "shop": self._shop,
            "item": self._item,
            "rename": self._rename,
            "drop": self._drop,
        }[step](name, key, place)
        if self.status == 200 and refused is not None:
            self.status = refused
        self.world.events += 1

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self.operations.append({"method": "POST", "path": path, "body": body})

    def _shop(self, name: str, _: int, place: int) -> int | None:
        self._post("/api/shops", {"name": name})
        taken = name in self.world.shops.values()
        self.world.shops[place] = name
        return 409 if taken else None

    def _item(self, name: str, _: int, place: int) -> int | None:
        """In the shop that was made last in this batch, if there is one."""
        made = [shop for shop in self.world.shops if shop < 0]
        shop_id = made[-1] if made else None
        sent = None if shop_id is None else {"$ref": f"{-shop_id - 1}.id"}
        self._post("/api/items", {"title": name, "stock": 1, "shop_id": sent})
        self.world.items[place] = Thing(name, 1, str(self.by.id), shop_id)
        return None

    def _rename(self, name: str, key: int, _: int) -> int | None:
        body = {"title": f"{name}{name}"}
        self.operations.append({"method": "PATCH", "path": f"/api/items/{key}", "body": body})
        item = self.world.items.get(key)
        if item is None:
            return 404
        if not _may_update(item, self.by):
            return 403
        self.world.items[key] = replace(item, **body)
        self.world.events -= self.world.items[key] == item
        return None

    def _drop(self, _: str, key: int, __: int) -> int | None:
        self.operations.append({"method": "DELETE", "path": f"/api/items/{key}"})
        item = self.world.items.get(key)
        if item is None:
            return 404
        if item.owner != self.by.id:
            return 403
        del self.world.items[key]
        return None


actors = st.sampled_from([ANN, BEN])
names = st.sampled_from(NAMES)
stocks = st.integers(min_value=-1, max_value=3)
picks = st.integers(min_value=0, max_value=5)


def application(url: str) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    mine = Item.owner == me.id
    app.expose(Shop, Policy(read=public, write=public))
    app.expose(Tag, Policy(read=public, write=public))
    app.expose(
        Item,
        Policy(
            read=public,
            create=Item.stock >= 0,
            # Whoever empties it can no longer change it.
            update=(mine & (Item.stock > 0)) | role("admin"),
            delete=mine,
            preset={"owner": me.id},
        ),
    )
    return app


class Changes(RuleBasedStateMachine):
    def __init__(self, url: str, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.runner = asyncio.Runner()
        self.app = application(url)
        transport = httpx.ASGITransport(app=self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test")
        self.world = World()
        self.seen: dict[int, str] = {}

    @initialize()
    def start_empty(self) -> None:
        with self.engine.begin() as connection:
            for table in (*reversed(Base.metadata.sorted_tables), EVENTS):
                connection.execute(delete(table))

    def teardown(self) -> None:
        units = self.app.freeze().units
        assert units is not None
        self.runner.run(units.close())
        self.runner.run(self.app.freeze().store.database.close())
        self.runner.run(self.client.aclose())
        self.runner.close()

    def ask(
        self, method: str, path: str, body: Any = None, by: Actor = ANN, tag: str | None = None
    ) -> httpx.Response:
        headers = {**acting(by), **({"if-match": tag} if tag else {})}
        return self.runner.run(self.client.request(method, path, json=body, headers=headers))

    def pick(self, keys: Any, n: int) -> int:
        """One that there is, or one that there is not."""
        known = sorted(keys)
        return known[n % len(known)] if known and n < 5 else 10**6

    @rule(name=names, by=actors)
    def create_shop(self, name: str, by: Actor) -> None:
        answer = self.ask("POST", "/api/shops", {"name": name}, by)
        if name in self.world.shops.values():
            assert answer.status_code == 409
            return
        assert answer.status_code == 201
        self.world.shops[answer.json()["id"]] = name
        self.world.events += 1

    @rule(name=names)
    def create_tag(self, name: str) -> None:
        answer = self.ask("POST", "/api/tags", {"name": name})
        self.world.tags[answer.json()["id"]] = name
        self.world.events += 1

    @rule(title=names, stock=stocks, shop=st.none() | picks, tag=picks, by=actors)
    def create_item(self, title: str, stock: int, shop: int | None, tag: int, by: Actor) -> None:
        shop_id = None if shop is None else self.pick(self.world.shops, shop)
        tag_id = self.pick(self.world.tags, tag)
        tags = [tag_id] if tag_id in self.world.tags else []
        body = {
            "title": title,
            "stock": stock,
            "shop_id": shop_id,
            "tags": [{"id": t} for t in tags],
        }
        answer = self.ask("POST", "/api/items", body, by)
        if shop_id is not None and shop_id not in self.world.shops:
            assert answer.status_code == 409
        elif stock < 0:
            assert answer.status_code == 403
        else:
            assert answer.status_code == 201
            key = answer.json()["id"]
            self.world.items[key] = Thing(title, stock, str(by.id), shop_id, frozenset(tags))
            self.world.events += 1 + len(tags)

    @rule(n=picks)
    def remember(self, n: int) -> None:
        key = self.pick(self.world.items, n)
        if key in self.world.items:
            self.seen[key] = self.ask("GET", f"/api/items/{key}").headers["etag"]

    @rule(
        n=picks,
        title=st.none() | names,
        stock=st.none() | stocks,
        by=actors,
        conditional=st.booleans(),
        method=st.sampled_from(["PATCH", "PUT"]),
    )
    def change_item(
        self,
        n: int,
        title: str | None,
        stock: int | None,
        by: Actor,
        conditional: bool,
        method: str,
    ) -> None:
        key = self.pick(self.world.items, n)
        sent = {k: v for k, v in {"title": title, "stock": stock}.items() if v is not None}
        tag = self.seen.get(key) if conditional else None
        now = self.ask("GET", f"/api/items/{key}").headers.get("etag")
        answer = self.ask(method, f"/api/items/{key}", sent, by, tag)
        if method == "PUT" and title is None:
            assert answer.status_code == 422
            return
        if key not in self.world.items:
            assert answer.status_code == 404
            return
        old = self.world.items[key]
        if method == "PUT":
            sent = {"stock": 0, "shop_id": None} | sent
        new = replace(old, **sent)
        if not _may_update(old, by):
            assert answer.status_code == 403
        elif tag is not None and tag != now:
            assert answer.status_code == 412
        elif not _may_update(new, by):
            assert answer.status_code == 403
        else:
            assert answer.status_code == 200
            self.world.items[key] = new
            self.world.events += new != old

    @rule(n=picks, tag=picks, by=actors, method=st.sampled_from(["PUT", "DELETE"]))
    def change_link(self, n: int, tag: int, by: Actor, method: str) -> None:
        key, tag_id = self.pick(self.world.items, n), self.pick(self.world.tags, tag)
        answer = self.ask(method, f"/api/items/{key}/tags/{tag_id}", None, by)
        item = self.world.items.get(key)
        if item is None:
            assert answer.status_code == 404
        elif not _may_update(item, by):
            assert answer.status_code == 403
        elif tag_id not in self.world.tags:
            assert answer.status_code == 404
        else:
            assert answer.status_code == 204
            tags = item.tags | {tag_id} if method == "PUT" else item.tags - {tag_id}
            self.world.items[key] = replace(item, tags=tags)
            self.world.events += tags != item.tags

    @rule(n=picks, by=actors)
    def delete_item(self, n: int, by: Actor) -> None:
        key = self.pick(self.world.items, n)
        answer = self.ask("DELETE", f"/api/items/{key}", None, by)
        item = self.world.items.get(key)
        if item is None:
            assert answer.status_code == 404
        elif item.owner != by.id:
            assert answer.status_code == 403
        else:
            assert answer.status_code == 204
            del self.world.items[key]
            self.world.events += 1

    @rule(n=picks)
    def delete_shop(self, n: int) -> None:
        key = self.pick(self.world.shops, n)
        answer = self.ask("DELETE", f"/api/shops/{key}")
        if key not in self.world.shops:
            assert answer.status_code == 404
        elif any(item.shop_id == key for item in self.world.items.values()):
            assert answer.status_code == 409
        else:
            assert answer.status_code == 204
            del self.world.shops[key]
            self.world.events += 1

    @rule(
        by=actors,
        steps=st.lists(st.tuples(st.sampled_from(STEPS), names, picks), min_size=1, max_size=4),
    )
    def batch(self, by: Actor, steps: list[tuple[str, str, int]]) -> None:
        attempt = Attempt(deepcopy(self.world), by)
        for step, name, n in steps:
            attempt.add(step, name, self.pick(self.world.items, n))
        answer = self.ask("POST", "/api/batch", {"operations": attempt.operations}, by)
        assert answer.status_code == attempt.status
        if attempt.status == 200:
            made = [result["body"] for result in answer.json()["results"]]
            self.world = attempt.world
            self.world.shops = {
                made[-key - 1]["id"] if key < 0 else key: name
                for key, name in self.world.shops.items()
            }
            self.world.items = {
                made[-key - 1]["id"] if key < 0 else key: thing
                for key, thing in self.world.items.items()
            }
            for key, thing in self.world.items.items():
                if thing.shop_id is not None and thing.shop_id < 0:
                    shop_id = made[-thing.shop_id - 1]["id"]
                    self.world.items[key] = replace(thing, shop_id=shop_id)

    def ask_at_once(self, *requests: tuple[str, str, Any, Actor, str | None]) -> list[int]:
        """The statuses. Each: method, path, body, actor, tag."""

        async def story() -> list[int]:
            answers = await asyncio.gather(
                *(
                    self.client.request(
                        method,
                        path,
                        json=body,
                        headers={**acting(by), **({"if-match": tag} if tag else {})},
                    )
                    for method, path, body, by, tag in requests
                )
            )
            return [answer.status_code for answer in answers]

        return self.runner.run(story())

    @rule(n=picks, methods=st.lists(st.sampled_from(["PATCH", "DELETE"]), min_size=2, max_size=4))
    def race_for_an_item(self, n: int, methods: list[str]) -> None:
        """All have read the same version: one is in time."""
        key = self.pick(self.world.items, n)
        item = self.world.items.get(key)
        by = BEN if item is not None and item.owner == BEN.id else ANN
        if item is None or not _may_update(item, by):
            return
        path = f"/api/items/{key}"
        tag = self.ask("GET", path).headers["etag"]
        bodies = [{"title": f"{item.title[:8]}{place}"} for place in range(len(methods))]
        statuses = self.ask_at_once(
            *(
                (m, path, bodies[at] if m == "PATCH" else None, by, tag)
                for at, m in enumerate(methods)
            )
        )
        won = [at for at, status in enumerate(statuses) if status < 300]
        # A change of nothing leaves the version as it is.
        idle = [
            at for at, m in enumerate(methods) if m == "PATCH" and bodies[at]["title"] == item.title
        ]
        [winner] = [at for at in won if at not in idle] or won[:1]
        assert set(statuses) <= {200, 204, 404, 412}
        if methods[winner] == "DELETE":
            del self.world.items[key]
        else:
            self.world.items[key] = replace(item, **bodies[winner])
        self.world.events += winner not in idle

    @rule(name=names, by=st.lists(actors, min_size=2, max_size=4))
    def race_for_a_name(self, name: str, by: list[Actor]) -> None:
        statuses = self.ask_at_once(
            *(("POST", "/api/shops", {"name": name}, each, None) for each in by)
        )
        is_free = name not in self.world.shops.values()
        assert sorted(statuses) == [201] * is_free + [409] * (len(by) - is_free)
        if is_free:
            shops = self.ask("GET", f"/api/shops?name={name}").json()["items"]
            self.world.shops[shops[0]["id"]] = name
            self.world.events += 1

    @rule(n=picks, tag=picks, methods=st.lists(st.sampled_from(["PUT", "DELETE"]), min_size=2))
    def race_for_a_link(self, n: int, tag: int, methods: list[str]) -> None:
        """In whatever order: each change is told, and the last one decides."""
        key, tag_id = self.pick(self.world.items, n), self.pick(self.world.tags, tag)
        item = self.world.items.get(key)
        if item is None or tag_id not in self.world.tags or len(set(methods)) > 1:
            return
        path = f"/api/items/{key}/tags/{tag_id}"
        statuses = self.ask_at_once(*((method, path, None, BEN, None) for method in methods[:4]))
        assert set(statuses) == {204}
        tags = item.tags | {tag_id} if methods[0] == "PUT" else item.tags - {tag_id}
        self.world.items[key] = replace(item, tags=tags)
        self.world.events += tags != item.tags

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        shown = self.ask("GET", "/api/items?limit=200&expand=tags&sort=id").json()["items"]
        expected = [
            thing.shown(key)
            | {"tags": [{"id": t, "name": self.world.tags[t]} for t in sorted(thing.tags)]}
            for key, thing in sorted(self.world.items.items())
        ]
        assert shown == expected
        shops = self.ask("GET", "/api/shops?limit=200").json()["items"]
        assert {shop["id"]: shop["name"] for shop in shops} == self.world.shops

    @invariant()
    def every_change_was_told(self) -> None:
        with self.engine.connect() as connection:
            assert len(connection.execute(EVENTS.select()).all()) == self.world.events


def _may_update(item: Thing, by: Actor) -> bool:
    return (item.owner == by.id and item.stock > 0) or by is BEN


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata, OWN])
    yield engine
    engine.dispose()


def test_any_sequence_of_changes(database_url: str, engine: Engine) -> None:
    run_state_machine_as_test(
        partial(Changes, database_url, engine),
        settings=settings(max_examples=15, stateful_step_count=18),
    )
