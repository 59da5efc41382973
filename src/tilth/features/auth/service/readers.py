"""Credentials that a request carries → who asks. One statement each, none for what is believed."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from starlette.requests import HTTPConnection

from tilth.errors import BadCredential, Unauthenticated, Unavailable
from tilth.features.auth.models.api_keys import touch_key
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.actors import actor_from
from tilth.features.auth.service.browser import cookie_of
from tilth.features.auth.service.keys import looks_like_key, presented_key
from tilth.features.auth.service.names import name_from
from tilth.features.auth.service.origins import address_of, is_within, origin_of
from tilth.features.auth.service.passwords_asked import asked_from, prove_password, settle
from tilth.features.auth.service.session_credentials import session_actor
from tilth.kernel.policy.actor import Actor
from tilth.kit.secrets import is_same, keyed_digest, token_digest
from tilth.runtime.web.actor import CredentialReader, authorization_of, bad_credentials

KEY_HEADER = "x-api-key"
BASIC_CHALLENGE = 'Basic realm="tilth", charset="UTF-8"'
MOST_BASIC_CHARACTERS = 4096
TOUCHED_EVERY = timedelta(minutes=1)


def readers_of(accounts: Accounts) -> Sequence[CredentialReader]:
    """In this order: what a program sends on purpose counts before what a browser adds."""
    readers: list[CredentialReader] = [partial(_read_key, accounts)]
    readers.append(partial(_read_bearer, accounts))
    if accounts.options.basic:
        readers.append(partial(_read_basic, accounts))
    readers.append(partial(_read_session, accounts))
    return readers


async def _read_session(accounts: Accounts, connection: HTTPConnection) -> Actor | None:
    if connection.headers.get("authorization") is not None:
        return None
    cookie = cookie_of(accounts, connection)
    return None if cookie is None else await session_actor(accounts, cookie)


async def _read_key(accounts: Accounts, connection: HTTPConnection) -> Actor | None:
    sent = connection.headers.getlist(KEY_HEADER)
    if not sent:
        return None
    if len(sent) > 1 or connection.headers.get("authorization") is not None:
        raise bad_credentials("Send one credential, not several.")
    return await _key_actor(accounts, connection, sent[0].strip())


async def _read_bearer(accounts: Accounts, connection: HTTPConnection) -> Actor | None:
    credential = authorization_of(connection)
    if credential is None or credential[0] != "bearer":
        return None
    token = credential[1]
    if looks_like_key(token):
        return await _key_actor(accounts, connection, token)
    return await _token_actor(accounts, token)


async def _token_actor(accounts: Accounts, token: str) -> Actor:
    now = accounts.now()
    try:
        access = accounts.tokens.read(token, now)
    except BadCredential as exc:
        raise _unknown("token") from exc
    known = accounts.actors.get(token_digest(token), now)
    if known is not None:
        return known
    rows = await accounts.looks.token.rows(
        accounts.backend.store.database, user_id=access.proof.user_id, family=access.family
    )
    if not rows or rows[0]["epoch"] != access.epoch:
        raise _unknown("token")
    actor = actor_from(
        accounts,
        rows,
        "bearer",
        assurance=access.proof.assurance,
        credential=str(access.family),
        authenticated_at=access.proof.at,
        scopes=access.scopes,
    )
    accounts.actors.keep(token_digest(token), actor, now)
    return actor


async def _key_actor(accounts: Accounts, connection: HTTPConnection, text: str) -> Actor:
    now = accounts.now()
    try:
        key = presented_key(text)
    except BadCredential as exc:
        raise _unknown("API key") from exc
    rows = await accounts.looks.key.rows(
        accounts.backend.store.database, lookup=key.lookup, now=now
    )
    stored = bytes(rows[0]["digest"]) if rows else token_digest("")
    if not is_same(stored, key.digest) or not rows:
        raise _unknown("API key")
    row = rows[0]
    if not is_within(address_of(connection), row["addresses"]):
        raise _unknown("API key")
    last = row["last_used_at"]
    if last is None or now - last >= TOUCHED_EVERY:
        await _touch(accounts, row["key_id"])
    return actor_from(
        accounts,
        rows,
        "api_key",
        assurance=1,
        credential=str(row["key_id"]),
        scopes=row["scopes"],
    )


async def _touch(accounts: Accounts, key_id: UUID) -> None:
    try:
        await accounts.run(lambda session, now: touch_key(session, key_id, now))
    except Unavailable:
        # When it was used last is worth less than the request.
        return


async def _read_basic(accounts: Accounts, connection: HTTPConnection) -> Actor | None:
    credential = authorization_of(connection)
    if credential is None or credential[0] != "basic":
        return None
    name, password = _user_and_password(credential[1])
    keys = {"username_key": None, "email_key": None, "phone_key": None}
    read = name_from(name)
    if read is not None:
        keys[f"{read.kind}_key"] = read.key  # type: ignore[assignment]
    rows = await accounts.looks.password.rows(accounts.backend.store.database, **keys)
    stored = rows[0]["hash"] if rows else None
    guess = keyed_digest(accounts.keys.guess, f"basic {stored}", password)
    now = accounts.now()
    if stored is None or not accounts.verified.get(guess, now):
        await _verify_basic(accounts, connection, name, password)
        accounts.verified.keep(guess, True, now)
    if not rows:
        # Made since the look; the next request finds it.
        raise _wrong_basic()
    if rows[0]["has_factor"]:
        raise _wrong_basic(
            "This account has a second factor, so its password alone opens nothing. Sign in, or use "
            "an API key."
        )
    return actor_from(accounts, rows, "basic", assurance=1, credential=None, authenticated_at=now)


async def _verify_basic(
    accounts: Accounts, connection: HTTPConnection, name: str, password: str
) -> None:
    """Counted and limited as every other way to try a password."""
    asked = asked_from(name, password, origin_of(connection))
    try:
        proved = await prove_password(accounts, asked)
        await accounts.run(lambda session, _: settle(session, proved))
    except Unauthenticated as exc:
        raise _wrong_basic(exc.detail) from exc


def _user_and_password(credentials: str) -> tuple[str, str]:
    """RFC 7617 in UTF-8. Raises Unauthenticated for everything else, always with a challenge."""
    if len(credentials) > MOST_BASIC_CHARACTERS:
        raise _malformed_basic()
    try:
        text = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as exc:
        raise _malformed_basic() from exc
    name, colon, password = text.partition(":")
    if not colon or not name or any(unicodedata.category(c) == "Cc" for c in text):
        raise _malformed_basic()
    return name, password


def _malformed_basic() -> Unauthenticated:
    return _wrong_basic("Basic credentials are base64 of name:password in UTF-8 (RFC 7617).")


def _wrong_basic(detail: str = "The name or the password is wrong.") -> Unauthenticated:
    headers = {"WWW-Authenticate": BASIC_CHALLENGE}
    return Unauthenticated(detail, code="invalid_credentials", headers=headers)


def _unknown(what: str) -> Unauthenticated:
    """Why is not told: whoever guesses would learn from it."""
    return bad_credentials(f"The {what} is not good here, or not any more.")
