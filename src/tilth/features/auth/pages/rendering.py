"""Templates → pages. No script, no style but its own, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from tilth.errors import Fault, ProblemError
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import cookie_of, set_cookie
from tilth.features.auth.service.preferences import TextSize, text_size_from

STYLE_PATH = "/account/static/pages.css"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# A link in a mail holds a secret: the page it leads to must not pass its address on.
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
YEAR_SECONDS = 31_536_000
TEXT_SUFFIX = "-text"
TEXT_LIFE = timedelta(days=365)

_STYLE = Path(__file__).parents[1] / "static" / "pages.css"


class Pages:
    """Text is as large as the browser was told last, by the page of an account."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts, self._title = accounts, accounts.backend.title
        self._template = cache(_loader)
        self._version = sha256(_STYLE.read_bytes()).hexdigest()[:16]

    def page(
        self,
        request: Request,
        name: str,
        *,
        status: int = 200,
        problem: ProblemError | None = None,
        given: Mapping[str, str] | None = None,
        text_size: TextSize | None = None,
        **words: Any,
    ) -> Response:
        """problem: told above the form, and its faults beside their fields. given: what was typed;
        passwords and codes are not shown again.
        """
        root = request.scope.get("root_path", "")
        body = self._template()(f"pages/{name}.html").render(
            title=self._title,
            root=root,
            style=f"{root}{STYLE_PATH}?v={self._version}",
            problem=problem,
            faults=_faults(problem.faults if problem else ()),
            given=given or {},
            text_size=text_size or self._text_size(request),
            **words,
        )
        headers = {**HEADERS, **(problem.headers if problem else {})}
        # A browser would ask by a dialog of its own.
        headers.pop("WWW-Authenticate", None)
        return HTMLResponse(body, problem.status if problem else status, headers)

    def keep_text_size(self, request: Request, response: Response, size: TextSize) -> None:
        """For the pages that are shown before anybody has signed in."""
        if size != self._text_size(request):
            ends = self._accounts.now() + TEXT_LIFE
            set_cookie(self._accounts, request, response, size, ends, suffix=TEXT_SUFFIX)

    def _text_size(self, request: Request) -> TextSize:
        return text_size_from(cookie_of(self._accounts, request, TEXT_SUFFIX))


def go(request: Request, path: str) -> RedirectResponse:
    """To a page of this site, by GET."""
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}{path}", 303, {"cache-control": "no-store"})


async def style(request: Request) -> Response:
    headers = {"cache-control": f"public, max-age={YEAR_SECONDS}, immutable"}
    return FileResponse(_STYLE, media_type="text/css", headers=headers)


def _loader() -> Callable[[str], Any]:
    # Its import is what the first page waits for, and not every start.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("tilth.features.auth")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template


def _faults(faults: Sequence[Fault]) -> Mapping[str, str]:
    """By the name of the field."""
    return {fault.pointer.rpartition("/")[2]: fault.detail for fault in faults}
