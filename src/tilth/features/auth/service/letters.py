"""Templates → mails. Text and HTML come from the same words; links lead to the configured address."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import quote

from tilth.features.auth.port import Message


class Letters:
    """title: what the application is called. base: where links lead, such as https://shop.example."""

    def __init__(self, title: str, base: str) -> None:
        self._title, self._base = title, base

    def link(self, path: str, token: str, *, base: str | None = None) -> str:
        """base: where it leads instead, for a server whose address is not configured."""
        return f"{base or self._base}{path}?token={quote(token, safe='')}"

    def write(self, kind: str, to: str, **words: Any) -> Message:
        """kind: a template below templates/mail; its first line is the subject."""
        given = {"title": self._title, "base": self._base, **words}
        subject, _, body = self._text(f"mail/{kind}.txt", given).strip().partition("\n")
        paragraphs = [part.strip() for part in body.strip().split("\n\n")]
        html = self._html("mail/letter.html", given | {"subject": subject, "parts": paragraphs})
        # Whatever a name holds, a subject is one line.
        return Message(to, " ".join(subject.split())[:200], f"{body.strip()}\n", html, kind)

    @cached_property
    def _text(self) -> Callable[[str, dict[str, Any]], str]:
        return _renderer(escapes=False)

    @cached_property
    def _html(self) -> Callable[[str, dict[str, Any]], str]:
        return _renderer(escapes=True)


def _renderer(*, escapes: bool) -> Callable[[str, dict[str, Any]], str]:
    # Its import is what the first mail waits for, and not every start.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("tilth.features.auth"), autoescape=escapes, undefined=StrictUndefined
    )
    return lambda name, words: pages.get_template(name).render(words)
