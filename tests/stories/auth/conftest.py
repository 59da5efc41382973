"""An application with accounts, several browsers that ask it, its mail and its clock."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Executable
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.websockets import WebSocket

from tilth import Auth, CurrentUser, Policy, Tilth, me, permission, require, role, signed_in
from tilth.features.auth.adapters.development import DevelopmentMail
from tilth.features.auth.settings import Limits
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings, WebSettings

PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuvwxyz"


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    owner_id: Mapped[str]


class Clock:
    """Stands still until it is moved. It begins with the real time, which `max_age` goes by."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **duration: float) -> None:
        self.at += timedelta(**duration)


@dataclass
class Browser:
    """One client with cookies of its own. address: where its requests come from."""

    client: httpx.AsyncClient
    run: Callable[[Any], Any]

    def ask(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        sent = {} if json is None else {"json": json}
        answer: httpx.Response = self.run(self.client.request(method, path, **sent, **options))
        return answer

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.ask("POST", path, {} if json is None else json, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def sign_in(self, name: str = "bob", password: str = PASSWORD) -> httpx.Response:
        return self.post("/auth/sign-in", {"identifier": name, "password": password})

    def tokens(self, name: str = "bob", password: str = PASSWORD) -> dict[str, Any]:
        answer = self.post("/auth/token", {"identifier": name, "password": password})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def together(self, requests: Sequence[tuple[str, str, Any]]) -> list[httpx.Response]:
        async def all_() -> list[httpx.Response]:
            asked = (self.client.request(m, p, json=j) for m, p, j in requests)
            return list(await asyncio.gather(*asked))

        answers: list[httpx.Response] = self.run(all_())
        return answers


@dataclass
class Site:
    app: Tilth
    mail: DevelopmentMail
    clock: Clock
    run: Callable[[Any], Any]
    stack: ExitStack
    base: str
    _engine: Any = field(default=None)

    @property
    def accounts(self) -> Any:
        return self.app.freeze().states["auth"]

    def browser(self, *, address: str = "192.0.2.7", agent: str = "test") -> Browser:
        transport = httpx.ASGITransport(app=self.app, client=(address, 1234))
        client = httpx.AsyncClient(
            transport=transport, base_url=self.base, headers={"user-agent": agent}
        )
        self.stack.callback(lambda: self.run(client.aclose()))
        return Browser(client, self.run)

    def account(self, name: str = "bob", password: str = PASSWORD, **more: str) -> str:
        """The id of a new account; the link of one with an address is followed."""
        browser = self.browser(address="203.0.113.9")
        answer = browser.post("/auth/sign-up", {"username": name, "password": password, **more})
        if answer.status_code == 202:
            sent = {"token": self.token("sign_up"), "flow": answer.json()["flow"]}
            answer = browser.post("/auth/sign-up/confirm", sent)
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["id"]
        return id_

    def token(self, kind: str | None = None) -> str:
        """From the link in the mail that came last."""
        self.delivered()
        message = self.mail.messages[-1]
        assert kind in (None, message.kind), message.kind
        found = re.search(r"token=([\w-]+)", message.text)
        assert found, message.text
        return found[1]

    def delivered(self) -> list[str]:
        """Kinds of the mails so far."""
        state: Any = self.app.freeze().states["auth"]
        self.run(state.postman.delivered())
        return [message.kind for message in self.mail.messages]

    def sql(self, statement: Executable) -> list[dict[str, Any]]:
        engine = sync_engine(self.app.database_url)
        with engine.begin() as connection:
            result = connection.execute(statement)
            rows = [dict(row) for row in result.mappings()] if result.returns_rows else []
        engine.dispose()
        return rows

    def grant(self, user_id: str, *roles: str) -> None:
        from uuid import UUID

        from tilth.features.auth.models.roles import grant

        accounts: Any = self.app.freeze().states["auth"]
        for each in roles:
            self.run(accounts.changed(lambda s, now, r=each: grant(s, UUID(user_id), r, now)))

    def totp(self, browser: Browser) -> tuple[str, list[str]]:
        """Sets up an authenticator app; answers its secret and the recovery codes."""
        offered = browser.post("/auth/factors/totp", {}).json()
        code = self.code(offered["secret"])
        confirmed = browser.post("/auth/factors/totp/confirm", {"id": offered["id"], "code": code})
        assert confirmed.status_code == 200, confirmed.text
        self.clock.pass_(seconds=30)
        return offered["secret"], confirmed.json()["recovery_codes"]

    def code(self, secret: str, *, steps: int = 0) -> str:
        import base64

        from tilth.features.auth.service.totp import code_at, step_at

        seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
        return code_at(seed, step_at(self.clock()) + steps)


def application(url: str, auth: Auth, settings: Settings) -> Tilth:
    app = Tilth(url, auth=auth, settings=settings, title="Notes")
    mine = Note.owner_id == me.id
    app.expose(
        Note,
        Policy(
            read=mine | role("editor"),
            create=signed_in,
            update=mine,
            delete=mine & permission("notes.delete"),
            preset={"owner_id": me.id},
        ),
    )
    app.role("editor", "notes.delete")
    app.role("support", "users.impersonate")

    @app.get("/whoami")
    async def whoami(user: CurrentUser) -> str | None:
        return user.username

    @app.get("/language")
    async def language(user: CurrentUser) -> str | None:
        found: str | None = (user.preferences or {}).get("language")
        return found

    @app.get("/editors", dependencies=[require(role="editor")])
    async def editors() -> str:
        return "ok"

    @app.get("/vault", dependencies=[require(assurance=2, max_age=300)])
    async def vault() -> str:
        return "gold"

    @app.get("/reports", dependencies=[require(scope="reports")])
    async def reports() -> str:
        return "ok"

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return app


@contextmanager
def serving(url: str, auth: Auth, settings: Settings) -> Iterator[Site]:
    clock, mail = Clock(), DevelopmentMail()
    app = application(url, replace(auth, clock=clock, mail=mail), settings)
    engine = sync_engine(url)
    create_missing_tables(engine, [*app.freeze().own, Base.metadata])
    engine.dispose()
    base = settings.web.public_url or "http://notes.test"
    with asyncio.Runner() as runner, ExitStack() as stack:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        stack.callback(lambda: runner.run(lifespan.__aexit__(None, None, None)))
        yield Site(app, mail, clock, runner.run, stack, base)


@pytest.fixture
def site_of(database_url: str) -> Iterator[Callable[..., Site]]:
    """site_of(sign_up=False, …) with the options of Auth; limits are wide unless given."""
    with ExitStack() as stack:

        def site(*, settings: Settings | None = None, **options: Any) -> Site:
            wide = Limits(per_address=10_000, overall=100_000)
            auth = Auth(**{"limits": wide, **options})
            given = settings or Settings(environment="development", secret_key=SECRET)
            return stack.enter_context(serving(database_url, auth, given))

        yield site


@pytest.fixture
def site(site_of: Callable[..., Site]) -> Site:
    return site_of()


@pytest.fixture
def https() -> Settings:
    """As in production, with everything that is needed there."""
    return Settings(secret_key=SECRET, web=WebSettings(public_url="https://notes.test"))
