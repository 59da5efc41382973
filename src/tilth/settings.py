"""The environment, read once into frozen sections."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tilth.errors import Finding, SetupError
from tilth.kit.text import suggest

PREFIX = "TILTH_"
ENVIRONMENTS = ("development", "production")

# HMAC-SHA256 gains nothing from a longer key and loses with a shorter one (RFC 2104 section 3).
SECRET_KEY_CHARACTERS = 32

# Beyond these Python's JSON parser itself gives up.
JSON_DEPTH = 512
JSON_DIGITS = 4000


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Deadlines and sizes of the database side; seconds unless the name says otherwise.

    Source: docs/decisions, measured budgets for one small server.
    """

    # A database address may carry a password.
    database: str | None = field(default=None, repr=False)
    statement_seconds: float = 5.0
    lock_seconds: float = 2.0
    idle_in_transaction_seconds: float = 10.0
    pool_size: int = 10
    pool_wait_seconds: float = 2.0
    pooler: bool = False
    sqlite_readers: int = 2


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Deadlines and limits of the HTTP side."""

    header_seconds: float = 10.0
    header_bytes: int = 64 * 1024
    body_idle_seconds: float = 15.0
    body_floor_bytes_per_second: int = 1024
    keep_alive_seconds: float = 5.0
    request_seconds: float = 30.0
    send_stall_seconds: float = 30.0
    graceful_seconds: float = 20.0
    json_bytes: int = 1024 * 1024
    json_depth: int = 64
    json_digits: int = 40
    upload_bytes: int = 10 * 1024 * 1024
    cors_origins: tuple[str, ...] = ()
    cors_credentials: bool = False
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How events reach their subscribers. attempts: of one delivery, before it is given up."""

    poll_seconds: float = 1.0
    call_seconds: float = 30.0
    retry_seconds: float = 1.0
    attempts: int = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an application reads from outside its code.

    secret_key: signs cursors; made at random for this process when not set.
    environment: "development" shows more in errors; "production" shows less.
    """

    store: StoreSettings = field(default_factory=StoreSettings)
    web: WebSettings = field(default_factory=WebSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    secret_key: str | None = field(default=None, repr=False)
    environment: str = "production"


# Returns the value, or raises ValueError with a sentence that says what is expected and never
# repeats the text it was given: that may be a secret in the wrong variable.
Parser = Callable[[str], object]


def _text(text: str) -> str:
    return text


def _secret(text: str) -> str:
    if len(text) < SECRET_KEY_CHARACTERS:
        raise ValueError(f"Expected at least {SECRET_KEY_CHARACTERS} characters.")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("Expected seconds, a number above 0, such as 2.5.")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise ValueError("Expected a whole number above 0.")
    return int(text)


def _count_to(most: int) -> Parser:
    def count(text: str) -> int:
        number = _count(text)
        if number > most:
            raise ValueError(f"Expected a whole number from 1 to {most}.")
        return number

    return count


def _flag(text: str) -> bool:
    flags = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in flags:
        raise ValueError("Expected true or false.")
    return flags[text.lower()]


def _environment(text: str) -> str:
    if text not in ENVIRONMENTS:
        raise ValueError(f"Expected {' or '.join(ENVIRONMENTS)}.")
    return text


def _origin(text: str) -> str:
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


def _origins(text: str) -> tuple[str, ...]:
    names = text.replace(",", " ").split()
    return tuple(name if name == "*" else _origin(name) for name in names)


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


def _variable(section: str, name: str, parse: Parser, sentence: str) -> Variable:
    return Variable(PREFIX + name.upper(), section, name, parse, sentence)


VARIABLES = (
    _variable("", "environment", _environment, "`development` or `production`."),
    _variable(
        "",
        "secret_key",
        _secret,
        "Signs page cursors: at least 32 characters, the same for every worker. Made at "
        "random when not set.",
    ),
    _variable(
        "store",
        "database",
        _text,
        "Address of the database: `sqlite:///shop.db`, "
        "`postgresql://user:password@host/shop`. Wins over the one in the code.",
    ),
    _variable("store", "statement_seconds", _seconds, "Longest time one SQL statement may run."),
    _variable(
        "store", "lock_seconds", _seconds, "Longest wait for a lock that another transaction holds."
    ),
    _variable(
        "store",
        "idle_in_transaction_seconds",
        _seconds,
        "Longest time a transaction may stay open doing nothing.",
    ),
    _variable("store", "pool_size", _count, "Most connections one process opens to PostgreSQL."),
    _variable(
        "store", "pool_wait_seconds", _seconds, "Longest wait for a free connection, then 503."
    ),
    _variable("store", "pooler", _flag, "`true` behind a transaction pooler such as PgBouncer."),
    _variable(
        "store",
        "sqlite_readers",
        _count,
        "Threads that read one SQLite file at the same time, for reads that take longer than 2 ms.",
    ),
    _variable(
        "web",
        "header_seconds",
        _seconds,
        "From connecting to the end of the request headers, then 408.",
    ),
    _variable(
        "web", "header_bytes", _count, "Most bytes of headers that are still incomplete, then 431."
    ),
    _variable(
        "web",
        "body_idle_seconds",
        _seconds,
        "Longest pause inside a body, and the time before its rate counts, then 408.",
    ),
    _variable(
        "web", "body_floor_bytes_per_second", _count, "Slowest average rate of a body, then 408."
    ),
    _variable(
        "web",
        "keep_alive_seconds",
        _seconds,
        "How long an idle connection waits for its next request.",
    ),
    _variable(
        "web",
        "request_seconds",
        _seconds,
        "From the headers to the start of the response, then 503. For an upload: from its "
        "last piece.",
    ),
    _variable(
        "web",
        "send_stall_seconds",
        _seconds,
        "Longest time a client may leave a full send buffer unread, then it is cut off.",
    ),
    _variable(
        "web",
        "graceful_seconds",
        _seconds,
        "What requests in flight get when the server stops, rounded up to whole seconds.",
    ),
    _variable(
        "web",
        "json_bytes",
        _count,
        "Largest body that is parsed whole (JSON, forms, text), then 413.",
    ),
    _variable(
        "web", "json_depth", _count_to(JSON_DEPTH), "Deepest nesting of a JSON body, then 400."
    ),
    _variable(
        "web",
        "json_digits",
        _count_to(JSON_DIGITS),
        "Most digits of an integer in a JSON body, then 400.",
    ),
    _variable(
        "web",
        "upload_bytes",
        _count,
        "Largest body of any other kind (multipart, files), then 413.",
    ),
    _variable(
        "web",
        "cors_origins",
        _origins,
        "Origins whose pages may call this API, separated by commas or spaces; `*` for any.",
    ),
    _variable(
        "web",
        "cors_credentials",
        _flag,
        "Whether those pages may send cookies and credentials; not together with `*`.",
    ),
    _variable(
        "web",
        "public_url",
        _origin,
        "Where the world reaches this server, such as `https://shop.example`.",
    ),
    Variable(
        "TILTH_RELAY_POLL_SECONDS",
        "relay",
        "poll_seconds",
        _seconds,
        "How often a process looks for events that other processes have written.",
    ),
    Variable(
        "TILTH_RELAY_CALL_SECONDS",
        "relay",
        "call_seconds",
        _seconds,
        "Longest time a subscriber may take for one event, then it has failed.",
    ),
    Variable(
        "TILTH_RELAY_RETRY_SECONDS",
        "relay",
        "retry_seconds",
        _seconds,
        "From a subscriber's first failure to its next attempt; four times as long after each.",
    ),
    Variable(
        "TILTH_RELAY_ATTEMPTS",
        "relay",
        "attempts",
        _count,
        "How often an event is offered to a subscriber that fails, then it is given up.",
    ),
)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from the TILTH_* names of environ; an empty value counts as not set.

    Raises SetupError with every unknown name and bad value at once. No value is ever quoted.
    """
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
    known = {variable.name for variable in VARIABLES}
    findings = [_unknown(name, known) for name in sorted(given.keys() - known)]
    values: dict[str, dict[str, Any]] = {"": {}, "store": {}, "web": {}, "relay": {}}
    for variable in VARIABLES:
        if variable.name in given:
            try:
                values[variable.section][variable.field] = variable.parse(given[variable.name])
            except ValueError as error:
                findings.append(_bad_value(variable, str(error)))
    store, web = StoreSettings(**values["store"]), WebSettings(**values["web"])
    findings += cors_findings(web)
    if findings:
        raise SetupError(*findings)
    return Settings(store=store, web=web, relay=RelaySettings(**values["relay"]), **values[""])


def cors_findings(web: WebSettings) -> list[Finding]:
    """What is wrong with the CORS settings; they may also come from code."""
    if not (web.cors_credentials and "*" in web.cors_origins):
        return []
    return [
        Finding(
            "settings.cors_credentials",
            f"{PREFIX}CORS_ORIGINS",
            "Any site could act as whoever is signed in: `*` together with credentials.",
            f"List the origins, or set {PREFIX}CORS_CREDENTIALS to false.",
        )
    ]


def settings_table() -> str:
    """Every variable as one Markdown table, for docs/reference/settings.md."""
    defaults = Settings()
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for variable in VARIABLES:
        section = getattr(defaults, variable.section) if variable.section else defaults
        default = _shown(getattr(section, variable.field))
        lines.append(f"| `{variable.name}` | {default} | {variable.sentence} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if default is None or default == ():
        return "not set"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def _unknown(name: str, known: Collection[str]) -> Finding:
    close = suggest(name, known)
    remedy = f"Did you mean {close}?" if close else "Remove it, or see docs/reference/settings.md."
    return Finding("settings.unknown", name, "No setting has this name.", remedy)


def _bad_value(variable: Variable, expected: str) -> Finding:
    reason = "The value cannot be used."
    return Finding("settings.bad_value", variable.name, reason, expected)
