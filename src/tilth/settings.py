"""The environment, read once into frozen sections."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Deadlines and sizes of the database side; seconds unless the name says otherwise.

    Source: docs/decisions, measured budgets for one small server.
    """

    database: str | None = None
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
    body_idle_seconds: float = 15.0
    body_floor_bytes_per_second: int = 1024
    request_seconds: float = 30.0
    graceful_seconds: float = 20.0
    json_bytes: int = 1024 * 1024
    json_depth: int = 64
    json_digits: int = 40
    cors_origins: tuple[str, ...] = ()
    cors_credentials: bool = False
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an application reads from outside its code.

    secret_key: signs cursors; made at random for this process when not set.
    environment: "development" shows more in errors; "production" shows less.
    """

    store: StoreSettings = field(default_factory=StoreSettings)
    web: WebSettings = field(default_factory=WebSettings)
    secret_key: str | None = field(default=None, repr=False)
    environment: str = "production"
