"""What every request passes through, seen from outside."""

import asyncio
import re
from time import sleep

import pytest
from fastapi import FastAPI, UploadFile
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from tilth.errors import SetupError, TooManyRequests
from tilth.runtime.web.health import health_routes
from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.runtime.web.middleware.timing import timing
from tilth.runtime.web.problem import exception_handlers
from tilth.settings import Settings, WebSettings

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def hello(request):
    timing(request.scope).add("db", 1.25)
    timing(request.scope).add("db", 1.0)
    return PlainTextResponse(request.state.request_id)


async def echo(request):
    return PlainTextResponse(str(len(await request.body())))


async def page(request):
    return HTMLResponse("<p>hello")


async def own_policy(request):
    return HTMLResponse("<p>hello", headers={"content-security-policy": "default-src 'self'"})


@pytest.fixture
def app(app_with):
    return app_with(
        Route("/", hello),
        Route("/page", page),
        Route("/own", own_policy),
        Route("/echo", echo, methods=["POST"]),
        cors_origins=("https://a.example",),
        json_bytes=1000,
        upload_bytes=5000,
    )


@pytest.mark.parametrize("sent", ["abc-1.2_3", "x" * 128])
def test_a_sane_request_id_is_kept(app, ask, sent):
    answer = ask(app, "GET", "/", headers={"X-Request-ID": sent})

    assert (answer.headers["x-request-id"], answer.text) == (sent, sent)


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a\tb", 'a"b', "é"])
def test_any_other_request_id_is_replaced(app, ask, sent):
    answer = ask(app, "GET", "/", headers={"X-Request-ID": sent.encode()})

    assert UUID7.fullmatch(answer.headers["x-request-id"])


def test_request_ids_are_never_the_same(app, ask):
    assert ask(app, "GET", "/").text != ask(app, "GET", "/").text


def test_server_timing_adds_up_the_parts(app, ask):
    header = ask(app, "GET", "/").headers["server-timing"]

    assert re.fullmatch(r"db;dur=2\.2, total;dur=\d+\.\d", header)


DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
POLICIES = {"/": DATA_POLICY, "/page": PAGE_POLICY, "/own": "default-src 'self'"}


@pytest.mark.parametrize(("path", "policy"), POLICIES.items())
def test_a_response_allows_no_more_than_it_needs(app, ask, path, policy):
    headers = ask(app, "GET", path).headers

    assert headers.get_list("content-security-policy") == [policy]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(("scheme", "is_sent"), [("http", False), ("https", True)])
def test_strict_transport_security_is_sent_over_https_only(app, ask, scheme, is_sent):
    headers = ask(app, "GET", f"{scheme}://test/").headers

    assert ("strict-transport-security" in headers) is is_sent


async def pieces(count, size):
    for _ in range(count):
        yield b"x" * size


SIZES = {
    "announced, small enough": ("text/plain", b"x" * 1000, 200),
    "announced, too large": ("text/plain", b"x" * 1001, 413),
    "announced, a large upload": ("image/png", b"x" * 5000, 200),
    "announced, too large an upload": ("image/png", b"x" * 5001, 413),
    "streamed, small enough": ("text/plain", (10, 100), 200),
    "streamed, too large": ("text/plain", (11, 100), 413),
    "streamed JSON, too large": ("application/json", (11, 100), 413),
    "streamed, a large upload": ("multipart/form-data", (50, 100), 200),
    "streamed, too large an upload": ("multipart/form-data", (51, 100), 413),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_body_may_be_as_large_as_its_kind(app, ask, name):
    media_type, content, status = SIZES[name]
    content = content if isinstance(content, bytes) else pieces(*content)

    answer = ask(app, "POST", "/echo", content=content, headers={"content-type": media_type})

    assert answer.status_code == status


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 18, "0009999"])
def test_an_absurd_content_length_is_too_large(app, ask, length):
    headers = {"content-length": length, "content-type": "image/png"}

    assert ask(app, "POST", "/echo", headers=headers).status_code == 413


def test_a_fastapi_upload_that_grows_too_large_is_a_413(ask):
    application = FastAPI(exception_handlers=exception_handlers())

    @application.post("/")
    async def upload(file: UploadFile) -> None: ...

    app = wrapped(application, web_stack(Settings(web=WebSettings(upload_bytes=5000))))
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'

    async def body():
        yield head
        yield b"x" * 6000
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = ask(app, "POST", "/", content=body(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


async def never(request):
    await asyncio.Event().wait()


def never_in_a_thread(request):
    sleep(1)
    return PlainTextResponse("too late")


async def stubborn(request):
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return PlainTextResponse("too late")


@pytest.mark.parametrize("endpoint", [never, never_in_a_thread, stubborn])
def test_a_request_that_takes_too_long_is_a_503(app_with, ask, endpoint):
    answer = ask(app_with(Route("/", endpoint), request_seconds=0.05), "GET", "/")

    assert (answer.status_code, answer.json()["code"]) == (503, "deadline_exceeded")
    assert answer.headers["retry-after"] == "1"


def test_a_response_that_began_in_time_may_take_its_time(app_with, ask):
    async def slow_pieces():
        for _ in range(4):
            yield b"x"
            await asyncio.sleep(0.03)

    async def download(request):
        return StreamingResponse(slow_pieces())

    answer = ask(app_with(Route("/", download), request_seconds=0.05), "GET", "/")

    assert answer.text == "xxxx"


def test_a_timeout_of_the_applications_own_is_not_the_deadline(app_with, ask):
    async def times_out(request):
        raise TimeoutError

    assert ask(app_with(Route("/", times_out)), "GET", "/").status_code == 500


class OnceAMinute:
    def __init__(self):
        self.asked = 0

    async def check(self, scope):
        self.asked += 1
        if self.asked > 1:
            raise TooManyRequests("Once a minute.", headers={"Retry-After": "60"})


def test_a_rate_limiter_is_asked_about_everything_but_health(app_with, ask):
    app = app_with(Route("/", hello), *health_routes({}), limiter=OnceAMinute())

    statuses = [ask(app, "GET", path).status_code for path in ("/", "/", "/livez", "/readyz")]

    assert statuses == [200, 429, 200, 200]


def test_any_origin_together_with_credentials_refuses_to_start():
    web = WebSettings(cors_origins=("*",), cors_credentials=True)

    with pytest.raises(SetupError, match="Any site could act as whoever is signed in"):
        web_stack(Settings(web=web))
