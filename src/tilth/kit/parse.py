"""Text of the environment → the value it stands for, or a ValueError that says what is expected."""

import math
from collections.abc import Callable
from ipaddress import ip_network
from urllib.parse import urlsplit

# Returns the value, or raises ValueError with a sentence that says what is expected and never
# repeats the text it was given: that may be a secret in the wrong variable.
Parser = Callable[[str], object]


def text(text: str) -> str:
    return text


def seconds(text: str) -> float:
    try:
        given = float(text)
    except ValueError:
        given = math.nan
    if not 0 < given < math.inf:
        raise ValueError("Expected seconds, a number above 0, such as 2.5.")
    return given


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise ValueError("Expected a whole number above 0.")
    return int(text)


def count_to(most: int) -> Parser:
    def limited(text: str) -> int:
        number = count(text)
        if number > most:
            raise ValueError(f"Expected a whole number from 1 to {most}.")
        return number

    return limited


def flag(text: str) -> bool:
    flags = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in flags:
        raise ValueError("Expected true or false.")
    return flags[text.lower()]


def origin(text: str) -> str:
    example = "such as https://shop.example"
    try:
        parts = urlsplit(text)
        is_origin = bool(parts.scheme in ("http", "https") and parts.hostname) and not (
            parts.path or parts.query or parts.fragment or "@" in parts.netloc
        )
        # Reading the port raises ValueError when it is out of range.
        _ = parts.port
    except ValueError:
        is_origin = False
    if not is_origin:
        raise ValueError(f"Expected scheme, host and nothing after it, {example}.")
    return text.lower()


def origins(text: str) -> tuple[str, ...]:
    names = text.replace(",", " ").split()
    return tuple(name if name == "*" else origin(name) for name in names)


def networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(each)) for each in text.replace(",", " ").split())
    except ValueError:
        raise ValueError("Expected addresses or networks, such as 10.0.0.7 10.1.0.0/16.") from None


def mail_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_server = parts.scheme in ("smtp", "smtps") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_server = False
    if not is_server:
        raise ValueError("Expected smtp://user:password@host:587 or smtps://user:password@host.")
    return text
