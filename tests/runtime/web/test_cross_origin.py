"""Which origins may do what, as a browser would be told."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

ALLOWED = "https://a.example"
OTHER = "https://evil.example"
EXPOSED = (
    "ETag, Idempotency-Replayed, Link, Location, Preference-Applied, Server-Timing, X-Request-ID"
)


async def hello(request):
    return PlainTextResponse("hello", headers={"vary": "Accept"})


async def boom(request):
    raise LookupError


@pytest.fixture
def cors_headers(app_with, ask):
    def headers_of(settings, method, path, origin):
        app = app_with(Route("/", hello), Route("/boom", boom), **settings)
        headers = {} if origin is None else {"origin": origin}
        if method == "OPTIONS":
            headers |= {
                "access-control-request-method": "PATCH",
                "access-control-request-headers": "if-match, content-type",
            }
        return ask(app, method, path, headers=headers).headers

    return headers_of


LISTED = {"cors_origins": (ALLOWED,)}
SIGNED_IN = {"cors_origins": (ALLOWED,), "cors_credentials": True}
ANY = {"cors_origins": ("*",)}

# settings, method, path, origin → Allow-Origin, Allow-Credentials, Expose-Headers, Vary
ANSWERS = {
    "not configured": (({}, "GET", "/", ALLOWED), (None, None, None, "Accept")),
    "listed": ((LISTED, "GET", "/", ALLOWED), (ALLOWED, None, EXPOSED, "Accept, Origin")),
    "listed, failing": ((LISTED, "GET", "/boom", ALLOWED), (ALLOWED, None, EXPOSED, "Origin")),
    "not listed": ((LISTED, "GET", "/", OTHER), (None, None, None, "Accept, Origin")),
    "no browser": ((LISTED, "GET", "/", None), (None, None, None, "Accept, Origin")),
    "signed in": ((SIGNED_IN, "GET", "/", ALLOWED), (ALLOWED, "true", EXPOSED, "Accept, Origin")),
    "signed in, not listed": ((SIGNED_IN, "GET", "/", OTHER), (None, None, None, "Accept, Origin")),
    "sandboxed page": ((SIGNED_IN, "GET", "/", "null"), (None, None, None, "Accept, Origin")),
    "any": ((ANY, "GET", "/", OTHER), ("*", None, EXPOSED, "Accept, Origin")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_origin_is_told_what_it_may_have_and_no_other_is(cors_headers, name):
    request, expected = ANSWERS[name]

    headers = cors_headers(*request)

    names = ("allow-origin", "allow-credentials", "expose-headers")
    told = [headers.get(f"access-control-{name}") for name in names]
    assert (*told, headers.get("vary")) == expected


def test_a_preflight_allows_every_method_and_the_headers_asked_for(cors_headers):
    headers = cors_headers(LISTED, "OPTIONS", "/", ALLOWED)

    assert headers["access-control-allow-origin"] == ALLOWED
    assert "PATCH" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "if-match, content-type"


def test_a_preflight_from_another_origin_allows_nothing(cors_headers):
    headers = cors_headers(SIGNED_IN, "OPTIONS", "/", OTHER)

    assert not [name for name in headers if name.startswith("access-control-")]
