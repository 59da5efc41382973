"""Requests that another site made a browser send: told apart, and refused before anything is done.

Cookies and Basic credentials are added by the browser, whoever asked for the request; a bearer token
or an API key is not. The sign-in routes are guarded without any credential as well: somebody who is
made to sign in to a stranger's account gives away what they do next.
Source: OWASP ASVS 5.0 section 3.5; Fetch Metadata (https://www.w3.org/TR/fetch-metadata/).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from tilth.errors import BadRequest, Forbidden
from tilth.kit.secrets import is_same, keyed_digest

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
TOKEN_HEADER = "x-csrf-token"

# What a form can send without asking first (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
SENT_BY_FORMS = frozenset(
    {"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)

INSTEAD = "a program can send a bearer token or an API key instead of a cookie or a password."
FORM_LIKE = (
    "A form of another site could have made a browser send this POST. Send the header Content-Type: "
    f"application/json (with a body, {{}} where there is nothing to say); {INSTEAD}"
)


@dataclass(frozen=True, slots=True)
class Borders:
    """public: the origin the world knows, None to go by the Host header. friends: other origins whose
    pages may send credentials. token_key: makes tokens of sessions.
    """

    public: str | None
    friends: Collection[str]
    token_key: bytes

    def check(
        self, method: str, headers: Headers, session: bytes | None, *, only_basic: bool = False
    ) -> None:
        """Raises Forbidden for a request that changes something and may come from elsewhere.

        session: what the token that stands in for these headers belongs to. only_basic: no cookie
        came along, so that a request without any type of content is a program's.
        """
        if method in SAFE or self._is_from_here(headers):
            return
        if not self._says_nothing(headers):
            raise Forbidden(_from_elsewhere(headers), code="cross_site")
        # A form always has a type of content, even an empty one, and scripts of other sites have
        # an Origin: what has neither was not sent by a page.
        if only_basic and "content-type" not in headers:
            return
        if self._cannot_be_a_form(method, headers) or self._has_token(headers, session):
            return
        raise Forbidden(FORM_LIKE, code="cross_site")

    def check_socket(self, headers: Headers) -> None:
        """Of a WebSocket handshake, which is a GET and changes hands for good."""
        if "origin" in headers and not self._is_own_origin(headers):
            raise Forbidden("This page may not open a connection here.", code="cross_site")

    def check_host(self, headers: Headers) -> None:
        """Raises BadRequest when the server is known by another name than it was asked by."""
        if self.public is not None and headers.get("host", "").lower() != _host(self.public):
            raise BadRequest(
                f"This server is {_host(self.public)}. If that is what you asked for, its proxy has to "
                "pass the Host header on.",
                code="unknown_host",
            )

    def token(self, session: bytes) -> str:
        """What a page may send as X-CSRF-Token; good for as long as the session is."""
        return keyed_digest(self.token_key, "csrf", session.hex()).hex()

    def _has_token(self, headers: Headers, session: bytes | None) -> bool:
        sent = headers.get(TOKEN_HEADER, "")
        return session is not None and is_same(sent, self.token(session))

    def _is_from_here(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site in ("same-origin", "none"):
            return True
        return "origin" in headers and self._is_own_origin(headers, site)

    def _is_own_origin(self, headers: Headers, site: str | None = None) -> bool:
        origin = headers["origin"].lower()
        if origin in self.friends:
            return True
        # The browser itself said that it is another site's.
        if site is not None or origin == "null":
            return False
        if self.public is not None:
            return origin == self.public
        return _host(origin) == headers.get("host", "").lower()

    def _says_nothing(self, headers: Headers) -> bool:
        return "origin" not in headers and "sec-fetch-site" not in headers

    def _cannot_be_a_form(self, method: str, headers: Headers) -> bool:
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        return method != "POST" or media_type not in SENT_BY_FORMS


def _from_elsewhere(headers: Headers) -> str:
    origin = headers.get("origin")
    said = f"Origin: {origin[:100]}" if origin else "Sec-Fetch-Site"
    return (
        f"This request comes from a page of another site, as its header {said} says. Send it from a "
        "page of this one, or let the application name that site in TILTH_CORS_ORIGINS, with "
        f"TILTH_CORS_CREDENTIALS; {INSTEAD}"
    )


def _host(origin: str) -> str:
    return urlsplit(origin).netloc
