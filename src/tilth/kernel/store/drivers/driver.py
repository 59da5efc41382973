"""What the kernel asks of a database connection, whichever driver stands behind it."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.engine import URL, Dialect


class Database(Protocol):
    """Reads from one database. Made without connecting; usable again as soon as the server is.

    Safe to use from several event loops; close it in the loop that used it last.
    """

    @property
    def dialect(self) -> Dialect:
        """Compiles statements as this driver takes them; `compiled.positiontup` orders arguments."""

    @property
    def url(self) -> URL:
        """Where other connections find the same database; carries the password."""

    @property
    def label(self) -> str:
        """The URL without its password, for messages."""

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Every row of one reading statement.

        arguments: as the dialect's bind processors make them.
        Raises Unavailable when the database is down, busy, too slow or has another schema, and
        BadRequest when a value does not fit its column. A failed connection is tried again once.
        """

    async def ping(self) -> None:
        """Raises Unavailable unless the database answers."""

    async def close(self) -> None: ...
