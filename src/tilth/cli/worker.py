"""One run of an application in development: import, check, make tables, serve."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event as SharedEvent
from threading import Thread

from starlette.types import ASGIApp, Receive, Scope, Send

from tilth.app import Application
from tilth.cli.announce import News, announce
from tilth.cli.discover import application_in, applications_in, imported, plain_fastapi_in
from tilth.cli.migrate.place import has_migrations
from tilth.cli.models_only import application_of_models, mapped_classes
from tilth.cli.opening import checked, create_tables, tell_what_is_missing
from tilth.cli.port import address_of, is_loopback
from tilth.cli.talk import failure_text, say, tell
from tilth.cli.target import Target
from tilth.errors import CommandError, TilthError, Unavailable
from tilth.feature import Backend
from tilth.runtime.web.problem import problem_response
from tilth.runtime.web.server import serve
from tilth.settings import Settings

LOG_LEVEL = "warning"

MISUSE = 2
"""Exit code for options that do not fit the file: there is no change to wait for."""


@dataclass(frozen=True, slots=True)
class Order:
    """What `tilth dev` was asked for. host: as given."""

    target: Target
    host: str
    as_json: bool
    with_traceback: bool
    reload: bool
    has_keys: bool = False
    """Somebody sits at a terminal whose keys are read."""


def run_worker(order: Order, listening: socket.socket, announced: SharedEvent) -> None:
    """The main function of the process. An application that cannot be served says so itself.

    announced: set once the addresses have been told; later runs say less.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve_order(order, listening, announced)
    except TilthError as error:
        tell(error, order.with_traceback)
        if isinstance(error, CommandError) and error.exit_code == MISUSE:
            sys.exit(MISUSE)
        refusing = _refusing(error, order.host)
        _serve(refusing, listening, Settings(), partial(say, "Waiting for a change."))


def serve_order(
    order: Order, listening: socket.socket, announced: SharedEvent | None = None
) -> None:
    """Raises CommandError or SetupError when there is nothing that can be served."""
    app, notes = _application(order)
    backend = checked(app, to_serve=True)
    news = _news(order, app, backend, notes)
    is_first = announced is None or not announced.is_set()
    if is_first and "auth" in backend.states:
        news = _with_accounts(news, backend, listening)
    when_ready = partial(announce, backend, listening, news, as_json=order.as_json)
    if announced is not None:
        when_ready = partial(_announce_once, when_ready, news, announced)
    _serve(app, listening, app.settings, when_ready)


def _with_accounts(news: News, backend: Backend, listening: socket.socket) -> News:
    """Told with it: how the first superuser is made, and where mails are."""
    # Accounts, and the libraries behind them, are not imported where nobody signs in.
    from tilth.cli.user_links import first_admin_link, outbox_path

    link = first_admin_link(backend, address_of(listening))
    return replace(news, first_admin=link, outbox=outbox_path(backend))


def run_migrations(order: Order) -> None:
    """The main function of a process of its own: the models are read anew."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tilth.cli.migrate.pending import apply_pending

    try:
        app, _ = _application(order)
        apply_pending(order.target, app)
    except TilthError as error:
        tell(error, order.with_traceback)


def _news(order: Order, app: Application, backend: Backend, notes: list[str]) -> News:
    """Where there are migrations, only they change the database."""
    mode = app.settings.environment
    pending = _pending(order.target, app, backend)
    if pending is None:
        return News(mode, create_tables(backend), notes=notes)
    if pending:
        how = "press m to apply them" if order.has_keys else "apply them with tilth migrate up"
        notes = [f"Pending migrations: {', '.join(pending)}: {how}.", *notes]
    else:
        tell_what_is_missing(backend)
    return News(mode, notes=notes, pending=pending)


def _pending(target: Target, app: Application, backend: Backend) -> list[str] | None:
    if not has_migrations(target):
        return None
    # A quarter of a second to import, which few applications need.
    from tilth.cli.migrate.pending import pending_revisions

    return pending_revisions(target, app, backend)


def _announce_once(announce: Callable[[], None], news: News, announced: SharedEvent) -> None:
    if announced.is_set():
        made = f" Tables created: {', '.join(news.made)}." if news.made else ""
        pending = f" {news.notes[0]}" if news.pending else ""
        say(f"Ready again.{made}{pending}")
    else:
        announce()
        announced.set()


def _application(order: Order) -> tuple[Application, list[str]]:
    """The one in the file, or one made of its models; and what to tell of it."""
    target = order.target
    module = imported(target)
    notes = []
    if order.reload:
        notes.append(f"Starts again when a Python file in {target.folder} changes.")
    is_application = target.name or applications_in(module) or plain_fastapi_in(module)
    if is_application or not mapped_classes(module):
        return application_in(module, target), notes
    what = f"{target.shown} has models and no application:"
    if not is_loopback(order.host):
        raise CommandError(
            f"{what} anyone can read everything, so it is served on this machine only.",
            "Leave --host out, or add app = Tilth(...) and say in policies who may read.",
            exit_code=MISUSE,
        )
    return application_of_models(module), [
        f"{what} anyone on this machine can read everything.",
        *notes,
    ]


def _serve(
    app: ASGIApp,
    listening: socket.socket,
    settings: Settings,
    when_ready: Callable[[], None],
) -> None:
    host, port = listening.getsockname()[:2]
    serve(
        app,
        host=host,
        port=port,
        settings=settings,
        listening=listening,
        log_level=LOG_LEVEL,
        when_ready=when_ready,
    )


def _refusing(error: TilthError, host: str) -> ASGIApp:
    """Answers 503 to everything. What is wrong is told to this machine only."""
    told = failure_text(error).plain if is_loopback(host) else "See the terminal it runs in."
    answer = problem_response(Unavailable(f"The application cannot start. {told}"), None)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(scope, receive, send)

    return app


def _end_with_parent() -> None:
    """A worker whose supervisor was killed would hold the port for ever."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
