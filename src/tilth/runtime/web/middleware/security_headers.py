"""Headers that keep a browser from doing more with a response than was meant."""

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


def secured(headers: list[Header], encrypted: bool) -> list[Header]:
    """The same list, with each header that the route did not set itself."""
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
