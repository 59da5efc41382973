"""One object read from PostgreSQL, with every message that it took."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tilth.errors import CommandError
from tilth.kernel.store.sync import CONNECT_SECONDS, sync_engine
from tilth.kernel.store.wire.columns import Column, columns_from
from tilth.kernel.store.wire.messages import Message, Sender, blackened, described, messages_from
from tilth.kernel.store.wire.relay import PORT, Relay


@dataclass(frozen=True, slots=True)
class Conversation:
    """entity: None when there is no such row. columns: of the result, in order.

    messages: the values of secret columns are gone from them.
    """

    entity: Any
    columns: tuple[Column, ...]
    messages: tuple[Message, ...]


def overheard(
    url: URL, model: type, statement: Select[Any], hidden: Collection[str]
) -> Conversation:
    """What the driver and the server say to each other for the statement of one object.

    hidden: attributes that are secret whatever they are called. Raises SQLAlchemyError, and
    CommandError when the server takes encrypted connections only.
    """
    with _engine(url) as engine, engine.connect() as direct:
        with Relay(partial(_server_of, direct)) as relay:
            entity, sent = _asked_through(relay, direct, url, statement)
        messages = [each for sender, piece in sent for each in messages_from(sender, piece)]
        columns = _columns(direct, model, messages, hidden)
    black = {number for number, column in enumerate(columns) if column.is_secret}
    return Conversation(entity, columns, tuple(blackened(each, black) for each in messages))


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    engine = sync_engine(url, read_only=True)
    try:
        yield engine
    finally:
        engine.dispose()


def _asked_through(
    relay: Relay, direct: Connection, url: URL, statement: Select[Any]
) -> tuple[Any, list[tuple[Sender, bytes]]]:
    through = _through(relay, direct, url)
    with (
        _engine(through) as engine,
        _connected(engine) as connection,
        Session(connection) as session,
    ):
        relay.record()
        entity = session.scalars(statement).one_or_none()
        return entity, relay.recorded()


def _connected(engine: Engine) -> Connection:
    try:
        # What begins and ends a transaction is no part of the object.
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except OperationalError as exc:
        raise CommandError(
            "The server does not take this connection when it is not encrypted, and what is encrypted "
            "cannot be shown.",
            "Try it on a database of your own machine.",
        ) from exc


def _through(relay: Relay, direct: Connection, url: URL) -> URL:
    """The same session by way of the relay; the password may have come from a file."""
    told = {"host": relay.folder, "port": str(PORT), "sslmode": "disable", "gssencmode": "disable"}
    password = _driver(direct).info.password
    return url.set(host=None, port=None, password=password or None).update_query_dict(told)


def _server_of(direct: Connection) -> socket.socket:
    info = _driver(direct).info
    if info.host.startswith("/"):
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{info.host}/.s.PGSQL.{info.port}")
        return server
    return socket.create_connection((info.hostaddr or info.host, info.port), CONNECT_SECONDS)


def _columns(
    direct: Connection, model: type, messages: Sequence[Message], hidden: Collection[str]
) -> tuple[Column, ...]:
    for message in messages:
        if message.name == "RowDescription":
            found = described(message)
            types = [_type_name(direct, each.type, each.modifier) for each in found]
            return columns_from(model, [each.name for each in found], types, hidden)
    return ()


def _type_name(direct: Connection, oid: int, modifier: int) -> str:
    return str(direct.scalar(select(func.format_type(oid, modifier))))


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
