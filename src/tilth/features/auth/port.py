"""What accounts need from outside: somebody who delivers mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one address, as text and as HTML. kind: the template it was made from."""

    to: str
    subject: str
    text: str
    html: str
    kind: str


class Mail(Protocol):
    async def send(self, message: Message) -> None:
        """Returns once the mail is accepted. Raises OSError when it may be tried again."""
