"""Tilth's tables of accounts, beside those of the developer; made only where sign-in is on.

Every secret is stored as a digest, so that whoever reads the database cannot sign in with what they
find. Texts that identify somebody have a normal form beside them, which is what must be unique.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.engine import Dialect

from tilth.kernel.policy.guarded import GUARDED, SHOWN
from tilth.kernel.store.outbox import OWN

AUTH = MetaData(naming_convention=OWN.naming_convention, info={GUARDED: True})

DIGEST_BYTES = 32
"""SHA-256."""


class Moment(TypeDecorator[datetime]):
    """Always aware, in UTC: SQLite has no time zones, and the connections that read have texts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _moment(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Moment, nullable=nullable)


def _of_user(*, primary_key: bool = False) -> Column[object]:
    return Column(
        "user_id",
        Uuid,
        ForeignKey("tilth_user.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


USERS = Table(
    "tilth_user",
    AUTH,
    # Shown: what a resource over this table may have; everything else here and below, none may.
    Column("id", Uuid, primary_key=True, info={SHOWN: True}),
    Column("username", String(64), info={SHOWN: True}),
    Column("username_key", String(255), unique=True),
    Column("email", String(320), info={SHOWN: True}),
    Column("email_key", String(320), unique=True),
    _moment("email_verified_at", nullable=True),
    Column("phone", String(32), info={SHOWN: True}),
    Column("phone_key", String(32), unique=True),
    _moment("phone_verified_at", nullable=True),
    _moment("created_at"),
    _moment("disabled_at", nullable=True),
    # Raised to make every credential of before worthless: signed cookies and access tokens carry it.
    Column("epoch", Integer, nullable=False),
    Column("preferences", JSON(none_as_null=True)),
)

PASSWORDS = Table(
    "tilth_password",
    AUTH,
    _of_user(primary_key=True),
    # In PHC's format, which names the algorithm and its cost.
    Column("hash", Text, nullable=False),
    _moment("changed_at"),
)

ROLES = Table(
    "tilth_role",
    AUTH,
    Column("id", Uuid, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    _moment("created_at"),
)

PERMISSIONS = Table(
    "tilth_permission",
    AUTH,
    Column("role_id", Uuid, ForeignKey(ROLES.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), primary_key=True),
)

USER_ROLES = Table(
    "tilth_user_role",
    AUTH,
    _of_user(primary_key=True),
    # By name: a role that is declared in code has no row of its own.
    Column("role", String(64), primary_key=True),
    _moment("granted_at"),
)

SESSIONS = Table(
    "tilth_session",
    AUTH,
    # What lists show; who knows it can end the session, and not use it.
    Column("id", Uuid, primary_key=True),
    Column("digest", LargeBinary(DIGEST_BYTES), nullable=False, unique=True),
    _of_user(),
    _moment("created_at"),
    _moment("authenticated_at"),
    _moment("seen_at"),
    # Without a request until then it ends; whatever happens, it ends at expires_at.
    _moment("idle_until"),
    _moment("expires_at"),
    Column("idle_seconds", Integer, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("methods", String(64), nullable=False),
    Column("address", String(64)),
    Column("agent", String(256)),
    Column("impersonator_id", Uuid, ForeignKey(USERS.c.id, ondelete="CASCADE")),
    Column("reason", Text),
)
Index(None, SESSIONS.c.user_id)
Index(None, SESSIONS.c.expires_at)

REFRESH_TOKENS = Table(
    "tilth_refresh_token",
    AUTH,
    Column("id", Uuid, primary_key=True),
    Column("digest", LargeBinary(DIGEST_BYTES), nullable=False, unique=True),
    # All that came from one sign-in: when one is used twice, all of them end.
    Column("family", Uuid, nullable=False),
    _of_user(),
    _moment("created_at"),
    _moment("authenticated_at"),
    _moment("expires_at"),
    Column("epoch", Integer, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("methods", String(64), nullable=False),
    Column("scopes", Text),
    _moment("used_at", nullable=True),
    # Who used it: the same client may ask again, when the answer was lost on the way.
    Column("used_by", LargeBinary(DIGEST_BYTES)),
    Column("address", String(64)),
    Column("agent", String(256)),
)
Index(None, REFRESH_TOKENS.c.family)
Index(None, REFRESH_TOKENS.c.user_id)
Index(None, REFRESH_TOKENS.c.expires_at)

API_KEYS = Table(
    "tilth_api_key",
    AUTH,
    Column("id", Uuid, primary_key=True),
    Column("lookup", String(32), nullable=False, unique=True),
    Column("digest", LargeBinary(DIGEST_BYTES), nullable=False),
    _of_user(),
    Column("name", String(120), nullable=False),
    Column("scopes", Text),
    Column("addresses", Text),
    _moment("created_at"),
    _moment("expires_at", nullable=True),
    _moment("last_used_at", nullable=True),
    Column("replaced_by", Uuid),
)
Index(None, API_KEYS.c.user_id)

SECRETS = Table(
    "tilth_secret",
    AUTH,
    Column("id", Uuid, primary_key=True),
    # What it is good for: a link to reset a password cannot be used to verify an address.
    Column("kind", String(32), nullable=False),
    Column("digest", LargeBinary(DIGEST_BYTES), nullable=False),
    Column("user_id", Uuid, ForeignKey(USERS.c.id, ondelete="CASCADE")),
    # The exact address, session or browser it was made for, as a digest.
    Column("bound_to", LargeBinary(DIGEST_BYTES)),
    Column("data", JSON(none_as_null=True)),
    # What may still be tried with it, for those that are short enough to be guessed.
    Column("attempts_left", Integer, nullable=False),
    _moment("created_at"),
    _moment("expires_at"),
    _moment("consumed_at", nullable=True),
)
Index("uq_tilth_secret_kind_digest", SECRETS.c.kind, SECRETS.c.digest, unique=True)
Index(None, SECRETS.c.user_id)
Index(None, SECRETS.c.expires_at)

FACTORS = Table(
    "tilth_factor",
    AUTH,
    Column("id", Uuid, primary_key=True),
    _of_user(),
    Column("kind", String(16), nullable=False),
    Column("name", String(120), nullable=False),
    # Sealed with the key of the application: a copy of the database holds no second factor.
    Column("seed", LargeBinary, nullable=False),
    # The step that was accepted last; only later ones are.
    Column("last_step", BigInteger, nullable=False),
    _moment("created_at"),
    _moment("confirmed_at", nullable=True),
    _moment("last_used_at", nullable=True),
)
Index(None, FACTORS.c.user_id)

PASSKEYS = Table(
    "tilth_passkey",
    AUTH,
    Column("id", Uuid, primary_key=True),
    _of_user(),
    # What the authenticator calls it; nobody else's may have the same.
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    # As COSE writes it (RFC 9052).
    Column("public_key", LargeBinary, nullable=False),
    # What authenticators know the account by: random, so that it tells nothing of it.
    Column("user_handle", LargeBinary(64), nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("transports", String(120), nullable=False),
    # Whether it may be copied to other devices of its owner, which never changes, and whether it was.
    Column("is_backup_eligible", Boolean, nullable=False),
    Column("is_backed_up", Boolean, nullable=False),
    # False when somebody else turned out to own the address: then it is only a second factor.
    Column("opens_alone", Boolean, nullable=False),
    Column("name", String(120), nullable=False),
    _moment("created_at"),
    _moment("last_used_at", nullable=True),
)
Index(None, PASSKEYS.c.user_id)

COUNTERS = Table(
    "tilth_counter",
    AUTH,
    # SHA-256 of what is counted and for whom.
    Column("key", LargeBinary(DIGEST_BYTES), primary_key=True),
    Column("count", Integer, nullable=False),
    # Milliseconds since 1970, because they are computed with.
    Column("until", BigInteger, nullable=False),
    Column("touched", BigInteger, nullable=False),
)
Index(None, COUNTERS.c.touched)

AUDIT = Table(
    "tilth_audit",
    AUTH,
    Column("id", Uuid, primary_key=True),
    _moment("at"),
    Column("type", String(64), nullable=False),
    # No foreign keys: what happened stays known when the account is gone.
    Column("user_id", Uuid),
    Column("actor_id", Uuid),
    Column("impersonator_id", Uuid),
    Column("credential", String(64)),
    Column("address", String(64)),
    Column("agent", String(256)),
    Column("request_id", String(128)),
    Column("data", JSON(none_as_null=True)),
)
Index("ix_tilth_audit_user_id_id", AUDIT.c.user_id, AUDIT.c.id)
