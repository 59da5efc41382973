"""Be anyone in a test: a credential reader that believes a header.

    app = Tilth("sqlite://", readers=[actor_reader])
    client.get("/api/heroes", headers=acting(Actor("7", roles=frozenset({"admin"}))))

Never give it to an application that others can reach.
"""

import json
from dataclasses import replace

from starlette.requests import HTTPConnection

from tilth.errors import Unauthenticated
from tilth.kernel.policy.actor import ANONYMOUS, Actor, actor_from_json, json_of

HEADER = "x-test-actor"


async def actor_reader(connection: HTTPConnection) -> Actor | None:
    """Reads the header that `acting` makes; None without it. Raises Unauthenticated if malformed."""
    text = connection.headers.get(HEADER)
    if text is None:
        return None
    try:
        return actor_from_json(json.loads(text))
    except (ValueError, KeyError, TypeError) as exc:
        detail = f"The {HEADER} header is not one that tilth.testing.acting makes."
        raise Unauthenticated(detail, code="invalid_credentials") from exc


def acting(actor: Actor) -> dict[str, str]:
    """The header of a request made by this actor."""
    if actor.is_signed_in and actor.method == ANONYMOUS.method:
        # As most tests mean it: somebody who has signed in somehow.
        actor = replace(actor, method="test", assurance=max(actor.assurance, 1))
    return {HEADER: json.dumps(json_of(actor))}
