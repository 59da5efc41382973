"""The environment, read once into frozen sections."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tilth.errors import Finding, SetupError
from tilth.kit.text import suggest
from tilth.variables import PREFIX, SECTIONS, VARIABLES, Variable


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
class MigrateSettings:
    """How the schema is changed. scratch: URL of a PostgreSQL server on which to try.

    database: of the same database, past a pooler. wait_seconds: for another process that migrates.
    """

    database: str | None = field(default=None, repr=False)
    scratch: str | None = field(default=None, repr=False)
    lock_seconds: float = 2.0
    wait_seconds: float = 600.0
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
    migrate: MigrateSettings = field(default_factory=MigrateSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    previous_secret_keys: tuple[str, ...] = field(default=(), repr=False)
    secret_key: str | None = field(default=None, repr=False)
    environment: str = "production"


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from the TILTH_* names of environ; an empty value counts as not set.

    Raises SetupError with every unknown name and bad value at once. No value is ever quoted.
    """
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
    known = {variable.name for variable in VARIABLES}
    findings = [_unknown(name, known) for name in sorted(given.keys() - known)]
    values: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
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
    relay, migrate = RelaySettings(**values["relay"]), MigrateSettings(**values["migrate"])
    mail = MailSettings(**values["mail"])
    return Settings(store=store, web=web, relay=relay, migrate=migrate, mail=mail, **values[""])


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
