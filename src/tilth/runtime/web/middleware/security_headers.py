"""Headers that keep a browser from doing more with a response than was meant."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]

ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
ALWAYS_NAMES = frozenset(name for name, _ in ALWAYS)
POLICY = b"content-security-policy"
DATA_POLICY: Header = (POLICY, b"default-src 'none'; frame-ancestors 'none'")
# A page loads scripts and styles; what it may load only its route can say, by a policy of its own.
PAGE_POLICY: Header = (POLICY, b"base-uri 'none'; frame-ancestors 'none'; object-src 'none'")
# One year: OWASP ASVS 3.4.1.
HTTPS_ONLY: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class SecurityHeaders:
    """Adds each header that the route did not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        encrypted = scope["scheme"] == "https"

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _secured(list(message.get("headers", ())), encrypted)
            await send(message)

        await self.app(scope, receive, send_secured)


def _secured(headers: list[Header], encrypted: bool) -> list[Header]:
    # ASGI header names are lower case.
    present = dict(headers)
    if ALWAYS_NAMES.isdisjoint(present):
        headers += ALWAYS
    else:
        headers += [header for header in ALWAYS if header[0] not in present]
    if POLICY not in present:
        is_page = present.get(b"content-type", b"").startswith(b"text/html")
        headers.append(PAGE_POLICY if is_page else DATA_POLICY)
    if encrypted and HTTPS_ONLY[0] not in present:
        headers.append(HTTPS_ONLY)
    return headers
