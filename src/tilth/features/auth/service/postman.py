"""Mails that wait to be sent: no request waits for a mail server, nor tells by its time if one is asked."""

from __future__ import annotations

import asyncio
import logging

from tilth.features.auth.port import Mail, Message

logger = logging.getLogger("tilth.auth")

PAUSES_SECONDS = (1.0, 5.0, 30.0)
"""Between attempts. After the last one the mail is lost, and whoever waits for it asks again."""

MOST_WAITING = 1000


class Postman:
    """Sends mails one after the other, in the event loop of the first of them. mail: who takes them."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self._waiting: asyncio.Queue[Message] | None = None
        self._round: asyncio.Task[None] | None = None

    def post(self, message: Message) -> None:
        """Forgets the mail when too many wait: the log tells."""
        if self._waiting is None or self._round is None or self._round.done():
            self._waiting = asyncio.Queue(MOST_WAITING)
            self._round = asyncio.create_task(self._rounds(self._waiting))
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            logger.error("Mail of kind %s was lost: too many are waiting.", message.kind)

    async def deliver(self, message: Message) -> None:
        """At once, and once: whoever asks is told. Raises OSError and ValueError."""
        await self.mail.send(message)

    async def delivered(self) -> None:
        """Returns when none is waiting."""
        if self._waiting is not None:
            await self._waiting.join()

    async def close(self, seconds: float = 5.0) -> None:
        """What is not sent by then is lost."""
        try:
            async with asyncio.timeout(seconds):
                await self.delivered()
        except TimeoutError:
            logger.error("Mail was lost: the server stopped before it was sent.")
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
            self._round = None

    async def _rounds(self, waiting: asyncio.Queue[Message]) -> None:
        while True:
            message = await waiting.get()
            try:
                await self._send(message)
            finally:
                waiting.task_done()

    async def _send(self, message: Message) -> None:
        for pause in (*PAUSES_SECONDS, None):
            try:
                return await self.mail.send(message)
            except (OSError, ValueError) as exc:
                # Neither the address nor the text: the one is private, the other holds a secret.
                logger.warning("Mail of kind %s failed: %s", message.kind, type(exc).__name__)
                if pause is None or isinstance(exc, ValueError):
                    logger.error("Mail of kind %s was lost.", message.kind)
                    return None
            await asyncio.sleep(pause)
        return None
