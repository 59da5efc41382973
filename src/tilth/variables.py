"""The names in the environment: where the value of each goes, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass

from tilth.kit import parse
from tilth.kit.parse import Parser

PREFIX = "TILTH_"
ENVIRONMENTS = ("development", "production")

# HMAC-SHA256 gains nothing from a longer key and loses with a shorter one (RFC 2104 section 3).
SECRET_KEY_CHARACTERS = 32

# Beyond these Python's JSON parser itself gives up.
JSON_DEPTH = 512
JSON_DIGITS = 4000


def _secret(text: str) -> str:
    if len(text) < SECRET_KEY_CHARACTERS:
        raise ValueError(f"Expected at least {SECRET_KEY_CHARACTERS} characters.")
    return text


def _secrets(text: str) -> tuple[str, ...]:
    return tuple(_secret(each) for each in text.replace(",", " ").split())


def _environment(text: str) -> str:
    if text not in ENVIRONMENTS:
        raise ValueError(f"Expected {' or '.join(ENVIRONMENTS)}.")
    return text


@dataclass(frozen=True, slots=True)
class Variable:
    """One name in the environment and where its value goes.

    section: a field of Settings, or "" for Settings itself.
    """

    name: str
    section: str
    field: str
    parse: Parser
    sentence: str


SECTIONS = ("", "store", "web", "relay", "migrate", "mail")
NAMED_SECTIONS = ("relay", "migrate")
"""Their names stand in those of their variables."""


def _variable(section: str, name: str, parse: Parser, sentence: str) -> Variable:
    place = f"{section}_" if section in NAMED_SECTIONS else ""
    return Variable(f"{PREFIX}{place}{name}".upper(), section, name, parse, sentence)


VARIABLES = (
    _variable("", "environment", _environment, "`development` or `production`."),
    _variable(
        "",
        "secret_key",
        _secret,
        "Signs page cursors, and seals tokens and cookies of accounts: at least 32 characters, "
        "the same for every worker. Made at random when not set.",
    ),
    _variable(
        "",
        "previous_secret_keys",
        _secrets,
        "Keys of before that are still accepted, separated by commas or spaces.",
    ),
    _variable(
        "store",
        "database",
        parse.text,
        "Address of the database: `sqlite:///shop.db`, "
        "`postgresql://user:password@host/shop`. Wins over the one in the code.",
    ),
    _variable(
        "store", "statement_seconds", parse.seconds, "Longest time one SQL statement may run."
    ),
    _variable(
        "store",
        "lock_seconds",
        parse.seconds,
        "Longest wait for a lock that another transaction holds.",
    ),
    _variable(
        "store",
        "idle_in_transaction_seconds",
        parse.seconds,
        "Longest time a transaction may stay open doing nothing.",
    ),
    _variable(
        "store", "pool_size", parse.count, "Most connections one process opens to PostgreSQL."
    ),
    _variable(
        "store", "pool_wait_seconds", parse.seconds, "Longest wait for a free connection, then 503."
    ),
    _variable(
        "store", "pooler", parse.flag, "`true` behind a transaction pooler such as PgBouncer."
    ),
    _variable(
        "store",
        "sqlite_readers",
        parse.count,
        "Threads that read one SQLite file at the same time, for reads that take longer than 2 ms.",
    ),
    _variable(
        "web",
        "header_seconds",
        parse.seconds,
        "From connecting to the end of the request headers, then 408.",
    ),
    _variable(
        "web",
        "header_bytes",
        parse.count,
        "Most bytes of headers that are still incomplete, then 431.",
    ),
    _variable(
        "web",
        "body_idle_seconds",
        parse.seconds,
        "Longest pause inside a body, and the time before its rate counts, then 408.",
    ),
    _variable(
        "web",
        "body_floor_bytes_per_second",
        parse.count,
        "Slowest average rate of a body, then 408.",
    ),
    _variable(
        "web",
        "keep_alive_seconds",
        parse.seconds,
        "How long an idle connection waits for its next request.",
    ),
    _variable(
        "web",
        "request_seconds",
        parse.seconds,
        "From the headers to the start of the response, then 503. For an upload: from its "
        "last piece.",
    ),
    _variable(
        "web",
        "send_stall_seconds",
        parse.seconds,
        "Longest time a client may leave a full send buffer unread, then it is cut off.",
    ),
    _variable(
        "web",
        "graceful_seconds",
        parse.seconds,
        "What requests in flight get when the server stops, rounded up to whole seconds.",
    ),
    _variable(
        "web",
        "json_bytes",
        parse.count,
        "Largest body that is parsed whole (JSON, forms, text), then 413.",
    ),
    _variable(
        "web", "json_depth", parse.count_to(JSON_DEPTH), "Deepest nesting of a JSON body, then 400."
    ),
    _variable(
        "web",
        "json_digits",
        parse.count_to(JSON_DIGITS),
        "Most digits of an integer in a JSON body, then 400.",
    ),
    _variable(
        "web",
        "upload_bytes",
        parse.count,
        "Largest body of any other kind (multipart, files), then 413.",
    ),
    _variable(
        "web",
        "cors_origins",
        parse.origins,
        "Origins whose pages may call this API, separated by commas or spaces; `*` for any.",
    ),
    _variable(
        "web",
        "cors_credentials",
        parse.flag,
        "Whether those pages may send cookies and credentials; not together with `*`.",
    ),
    _variable(
        "web",
        "public_url",
        parse.origin,
        "Where the world reaches this server, such as `https://shop.example`.",
    ),
    _variable(
        "web",
        "proxies",
        parse.networks,
        "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    ),
    Variable(
        "TILTH_MAIL_URL",
        "mail",
        "url",
        parse.mail_url,
        "Who delivers mail: `smtp://user:password@host:587`, or `smtps://…`.",
    ),
    Variable(
        "TILTH_MAIL_FROM",
        "mail",
        "sender",
        parse.text,
        "What mail comes from, such as `Shop <accounts@shop.example>`.",
    ),
    _variable(
        "relay",
        "poll_seconds",
        parse.seconds,
        "How often a process looks for events that other processes have written.",
    ),
    _variable(
        "relay",
        "call_seconds",
        parse.seconds,
        "Longest time a subscriber may take for one event, then it has failed.",
    ),
    _variable(
        "relay",
        "retry_seconds",
        parse.seconds,
        "From a subscriber's first failure to its next attempt; four times as long after each.",
    ),
    _variable(
        "relay",
        "attempts",
        parse.count,
        "How often an event is offered to a subscriber that fails, then it is given up.",
    ),
    _variable(
        "migrate",
        "database",
        parse.text,
        "Address of the same database for `tilth migrate`, when `TILTH_DATABASE` is that of a pooler.",
    ),
    _variable(
        "migrate",
        "scratch",
        parse.text,
        "Address of a PostgreSQL server where scratch databases may be made; that of the database "
        "when not set.",
    ),
    _variable(
        "migrate",
        "lock_seconds",
        parse.seconds,
        "Longest wait of a migration for a lock; all others wait behind it. Then it is tried again.",
    ),
    _variable(
        "migrate",
        "wait_seconds",
        parse.seconds,
        "Longest wait for another process that migrates the same database.",
    ),
    _variable(
        "migrate", "attempts", parse.count, "How often a revision that gets no lock is tried."
    ),
)
