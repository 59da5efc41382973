"""Mail by SMTP (RFC 5321), in a thread, encrypted unless the server is on this machine."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from tilth.features.auth.port import Message

TIMEOUT_SECONDS = 15.0
LOCAL = ("localhost", "127.0.0.1", "::1")
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """implicit: TLS from the first byte (smtps) rather than by STARTTLS."""

    host: str
    port: int
    implicit: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def smtp_server_from(url: str) -> SmtpServer:
    """`smtp://user:password@host:587`, or `smtps://…:465`. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("Expected smtp://user:password@host:587 or smtps://user:password@host.")
    return SmtpServer(
        parts.hostname,
        parts.port or PORTS[parts.scheme],
        parts.scheme == "smtps",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


@dataclass(frozen=True, slots=True)
class SmtpMail:
    """sender: an address, such as `Shop <accounts@shop.example>`."""

    server: SmtpServer
    sender: str

    async def send(self, message: Message) -> None:
        """Raises OSError, of which SMTPException is one."""
        await asyncio.to_thread(self._send, mail_from(message, self.sender))

    def _send(self, mail: EmailMessage) -> None:
        server = self.server
        secure = ssl.create_default_context()
        if server.implicit:
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=TIMEOUT_SECONDS, context=secure
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
        with client:
            if not server.implicit and server.host not in LOCAL:
                client.starttls(context=secure)
            if server.username and server.password:
                client.login(server.username, server.password)
            client.send_message(mail)


def mail_from(message: Message, sender: str) -> EmailMessage:
    """The headers cannot be added to by what is in an address: the library refuses line breaks."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = message.subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="tilth.invalid")
    # RFC 3834: no automatic answers to this.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail
