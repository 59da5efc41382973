"""The environment, read once into frozen sections."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tilth.errors import Finding, SetupError
from tilth.kit import parse
from tilth.kit.parse import Parser
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
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Who delivers mail. url: may carry a password. sender: what it comes from."""

    url: str | None = field(default=None, repr=False)
    sender: str | None = None


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

    secret_key: signs cursors, and tokens and cookies of accounts; made at random for this process
    when not set. previous_secret_keys: still accepted, newest first, while the key is being changed.
    environment: "development" shows more in errors; "production" shows less.
    """

    store: StoreSettings = field(default_factory=StoreSettings)
    web: WebSettings = field(default_factory=WebSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    mail: MailSettings = field(default_factory=MailSettings)
    previous_secret_keys: tuple[str, ...] = field(default=(), repr=False)
    secret_key: str | None = field(default=None, repr=False)
    environment: str = "production"


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


def _variable(section: str, name: str, parse: Parser, sentence: str) -> Variable:
    return Variable(PREFIX + name.upper(), section, name, parse, sentence)


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
    Variable(
        "TILTH_RELAY_POLL_SECONDS",
        "relay",
        "poll_seconds",
        parse.seconds,
        "How often a process looks for events that other processes have written.",
    ),
    Variable(
        "TILTH_RELAY_CALL_SECONDS",
        "relay",
        "call_seconds",
        parse.seconds,
        "Longest time a subscriber may take for one event, then it has failed.",
    ),
    Variable(
        "TILTH_RELAY_RETRY_SECONDS",
        "relay",
        "retry_seconds",
        parse.seconds,
        "From a subscriber's first failure to its next attempt; four times as long after each.",
    ),
    Variable(
        "TILTH_RELAY_ATTEMPTS",
        "relay",
        "attempts",
        parse.count,
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
    values: dict[str, dict[str, Any]] = {"": {}, "store": {}, "web": {}, "relay": {}, "mail": {}}
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
    relay, mail = RelaySettings(**values["relay"]), MailSettings(**values["mail"])
    return Settings(store=store, web=web, relay=relay, mail=mail, **values[""])


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
