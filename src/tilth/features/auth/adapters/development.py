"""Mail in development: kept in memory and shown in the terminal instead of being sent."""

from __future__ import annotations

import sys
from collections import deque
from typing import TextIO

from tilth.features.auth.port import Message

KEPT = 100


class DevelopmentMail:
    """The mails of this process, the newest KEPT of them. out: None to print nothing."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.messages: deque[Message] = deque(maxlen=KEPT)
        self._out = out

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        if self._out is not None:
            print(
                f"Mail to {message.to}: {message.subject}\n{_indented(message.text)}",
                file=self._out,
            )


def terminal_mail() -> DevelopmentMail:
    return DevelopmentMail(sys.stderr)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
