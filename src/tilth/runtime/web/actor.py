"""A request becomes an Actor: credential readers are asked in order, the first answer counts."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import HTTPConnection

from tilth.errors import Unauthenticated
from tilth.kernel.policy.actor import ANONYMOUS, Actor

# Answers None when the request carries no credential of its kind; raises Unauthenticated when it
# carries a bad one.
CredentialReader = Callable[[HTTPConnection], Awaitable[Actor | None]]

CHALLENGE = 'Bearer realm="tilth"'
INVALID_TOKEN = f'{CHALLENGE}, error="invalid_token"'

STATE_KEY = "tilth_actor"

# b64token of RFC 6750 section 2.1.
BEARER_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


async def actor_of(connection: HTTPConnection, readers: Sequence[CredentialReader]) -> Actor:
    """Who asks. Read once per request and remembered on it.

    Raises Unauthenticated for a bad credential, also for one that no reader understands: a client
    that meant to sign in must not be answered as anonymous.
    """
    state = connection.scope.setdefault("state", {})
    remembered = state.get(STATE_KEY)
    # A mounted application shares the state but has readers of its own.
    if remembered is None or remembered[0] is not readers:
        remembered = state[STATE_KEY] = (readers, await _read(connection, readers))
    actor: Actor = remembered[1]
    return actor


def bearer_reader(tokens: Mapping[str, Actor]) -> CredentialReader:
    """Reads `Authorization: Bearer TOKEN` against a fixed set of tokens."""
    known = [(_hash(token), actor) for token, actor in tokens.items()]

    async def read_bearer(connection: HTTPConnection) -> Actor | None:
        credential = authorization_of(connection)
        if credential is None or credential[0] != "bearer":
            return None
        token = credential[1]
        if not BEARER_TOKEN.fullmatch(token):
            raise bad_credentials("The bearer token is malformed.")
        actor = _match(_hash(token), known)
        if actor is None:
            raise bad_credentials("The bearer token is not known here.")
        return actor

    return read_bearer


def authorization_of(connection: HTTPConnection) -> tuple[str, str] | None:
    """Scheme in lower case and credentials of the Authorization header, None without one.

    Raises Unauthenticated when there are several: which one counts would be a guess.
    """
    values = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    if not values:
        return None
    if len(values) > 1:
        raise bad_credentials("Send one Authorization header, not several.")
    scheme, _, credentials = values[0].decode("latin-1").strip().partition(" ")
    return scheme.lower(), credentials.strip()


def bad_credentials(detail: str) -> Unauthenticated:
    """A 401 for credentials that were sent and do not hold."""
    headers = {"WWW-Authenticate": INVALID_TOKEN}
    return Unauthenticated(detail, code="invalid_credentials", headers=headers)


async def _read(connection: HTTPConnection, readers: Sequence[CredentialReader]) -> Actor:
    for reader in readers:
        actor = await reader(connection)
        if actor is not None:
            return actor
    credential = authorization_of(connection)
    if credential is not None:
        raise bad_credentials("The Authorization header uses a scheme that is not accepted here.")
    return ANONYMOUS


def _match(digest: bytes, known: Sequence[tuple[bytes, Actor]]) -> Actor | None:
    # Every token is compared: the time taken must not tell which one was nearly right.
    found = None
    for candidate, actor in known:
        if hmac.compare_digest(digest, candidate):
            found = actor
    return found


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
