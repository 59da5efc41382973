"""Templates → pages. No style and no script but its own, nothing from elsewhere."""

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
SCRIPT_PATH = "/account/static/passkeys.js"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Of the pages that passkeys are made and used on; browsers offer them to scripts only.
SCRIPTED = frozenset({"account", "mfa", "sign_in"})
SCRIPTED_POLICY = f"{POLICY}; script-src 'self'; connect-src 'self'"
# A link in a mail holds a secret: the page it leads to must not pass its address on.
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
YEAR_SECONDS = 31_536_000
TEXT_SUFFIX = "-text"
TEXT_LIFE = timedelta(days=365)

_STATIC = Path(__file__).parents[1] / "static"
_STYLE, _SCRIPT = _STATIC / "pages.css", _STATIC / "passkeys.js"


class Pages:
    """rp: whom passkeys are made for; None without them.

    Text is as large as the browser was told last, by the page of an account.
    """

    def __init__(self, accounts: Accounts, rp: str | None = None) -> None:
        self._accounts, self._title, self._rp = accounts, accounts.backend.title, rp
        self._template = cache(_loader)
        self._style, self._script = _version(_STYLE), _version(_SCRIPT)

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
        has_script = self._rp is not None and name in SCRIPTED
        body = self._template()(f"pages/{name}.html").render(
            title=self._title,
            root=root,
            style=f"{root}{STYLE_PATH}?v={self._style}",
            script=f"{root}{SCRIPT_PATH}?v={self._script}" if has_script else None,
            rp=self._rp,
            problem=problem,
            faults=_faults(problem.faults if problem else ()),
            given=given or {},
            text_size=text_size or self._text_size(request),
            **words,
        )
        headers = {**HEADERS, **(problem.headers if problem else {})}
        if has_script:
            headers["content-security-policy"] = SCRIPTED_POLICY
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
    return _kept(_STYLE, "text/css")


async def script(request: Request) -> Response:
    return _kept(_SCRIPT, "text/javascript")


def _kept(file: Path, media_type: str) -> Response:
    headers = {"cache-control": f"public, max-age={YEAR_SECONDS}, immutable"}
    return FileResponse(file, media_type=media_type, headers=headers)


def _version(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()[:16]


def _loader() -> Callable[[str], Any]:
    # Its import is what the first page waits for, and not every start.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("tilth.features.auth")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template


def _faults(faults: Sequence[Fault]) -> Mapping[str, str]:
    """By the name of the field."""
    return {fault.pointer.rpartition("/")[2]: fault.detail for fault in faults}
