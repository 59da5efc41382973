"""`Idempotency-Key`: a change is made once, however often its request arrives.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import orjson
from sqlalchemy.orm import Session
from starlette.requests import Request

from tilth.errors import BadRequest, Fault
from tilth.features.api.service.links import sent_path
from tilth.features.api.service.outcome import Outcome
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.idempotency import Claim, keep_answer, kept_answer, still_running
from tilth.kernel.store.unit import Units, Work
from tilth.kit.clock import now

LONGEST = 255
"""Characters of a key."""

UNGUESSABLE = 22
"""Characters that hold 128 random bits, as base64 without padding; a UUID has 36."""

REPLAYED = "idempotency-replayed"

MEANT = ("accept", "content-type", "if-match", "if-none-match", "prefer")
"""Headers that are part of what is asked, besides the query and the body."""

# RFC 8941 section 3.3.3: printable ASCII, with quote and backslash escaped.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
# What clients send without quotes: wider than a token, which could not begin with a digit.
_BARE = re.compile(r"[!#-+\--:<-\[\]-~]+")


class Once:
    """Units of work that are not done twice. It knows the keys that run in this process; those of
    other processes are found in the database.
    """

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._now = clock
        self._running: set[bytes] = set()

    async def run(
        self,
        request: Request,
        sight: Sight,
        units: Units,
        work: Work[Outcome],
        *,
        keep: bool = True,
    ) -> Outcome:
        """What work answers, after the commit, or has answered to the same request before.

        keep: False for a rehearsal, which has no effect that could happen twice.
        Raises what work raises, BadRequest for a malformed key, Conflict while the first request
        runs, Invalid when the key belongs to another one.
        """
        key = key_from(request.headers.getlist("idempotency-key"), sight.actor)
        if key is None or not keep:
            return await units.run(work, keep=keep)
        claim = _claim(request, await request.body(), sight, key)
        with self._only_one(claim):
            return await units.run(self._claimed(claim, work))

    @contextmanager
    def _only_one(self, claim: Claim) -> Iterator[None]:
        """No connection to the database is held for somebody who would only wait."""
        if claim.id in self._running:
            raise still_running()
        self._running.add(claim.id)
        try:
            yield
        finally:
            self._running.discard(claim.id)

    def _claimed(self, claim: Claim, work: Work[Outcome]) -> Work[Outcome]:
        def once(session: Session) -> Outcome:
            known = kept_answer(session, claim, self._now())
            if known is not None:
                return replayed(known)
            outcome = work(session)
            keep_answer(session, claim, packed(outcome))
            return outcome

        return once


def key_from(headers: Iterable[str], actor: Actor) -> str | None:
    """The key without its quotes; None when there is none.

    Raises BadRequest for one that is malformed, too long, or easily guessed and anonymous.
    """
    match list(headers):
        case []:
            return None
        case [header]:
            key = _unquoted(header.strip())
        case _:
            raise _bad_key("Send one Idempotency-Key, not several.")
    if len(key) > LONGEST:
        raise _bad_key(f"An Idempotency-Key has at most {LONGEST} characters, not {len(key)}.")
    # Nothing but the key tells one anonymous client from another.
    if not actor.is_signed_in and len(key) < UNGUESSABLE:
        raise _bad_key(
            f"Without signing in, an Idempotency-Key needs {UNGUESSABLE} characters or more that "
            "nobody can guess, such as a random UUID."
        )
    return key


def _unquoted(header: str) -> str:
    quoted = _QUOTED.fullmatch(header)
    if quoted is None and not _BARE.fullmatch(header):
        raise _bad_key('Send an Idempotency-Key as a text in quotes, such as "8e03978e-40d5".')
    key = header if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])
    if not key:
        raise _bad_key("The Idempotency-Key is empty. Send a new one with each change.")
    return key


def _bad_key(detail: str) -> BadRequest:
    code = "bad_idempotency_key"
    return BadRequest(detail, code=code, faults=[Fault("header:idempotency-key", code, detail)])


def _claim(request: Request, body: bytes, sight: Sight, key: str) -> Claim:
    """Whose key it is, and what was asked.

    The rights of the actor are part of what is asked: whoever has a weaker credential of the same
    identity must not be told what the stronger one was, nor may the change happen twice.
    """
    actor = sight.actor
    owner = [actor.id, actor.tenant, request.method, sent_path(request.scope), key]
    scopes = actor.scopes if actor.scopes is None else sorted(actor.scopes)
    # What it may is in the rules that hold for it: how long ago it signed in says nothing by itself.
    rights = [sorted(actor.roles), scopes, sorted(actor.permissions), actor.assurance]
    rights.append(sight.rulebook.standing(actor))
    query = request.scope["query_string"].decode("latin-1")
    meant = [request.headers.getlist(name) for name in MEANT]
    return Claim(_digest(owner), _digest([rights, query, meant], body))


def _digest(parts: Sequence[object], body: bytes = b"") -> bytes:
    """A JSON array ends where it ends, so that what follows cannot be mistaken for it."""
    return hashlib.sha256(orjson.dumps(parts) + body).digest()


def packed(outcome: Outcome) -> bytes:
    """A line of JSON, then the body as it is."""
    head = orjson.dumps({"status": outcome.status, "headers": dict(outcome.headers)})
    return head + b"\n" + outcome.body


def unpacked(answer: bytes) -> Outcome:
    line, _, body = answer.partition(b"\n")
    head = orjson.loads(line)
    return Outcome(head["status"], head["headers"], body)


def replayed(answer: bytes) -> Outcome:
    outcome = unpacked(answer)
    return replace(outcome, headers={**outcome.headers, REPLAYED: "true"})
