"""Be anyone in a test: a credential reader that believes a header.

    app = Tilth("sqlite://", readers=[actor_reader])
    client.get("/api/heroes", headers=acting(Actor("7", roles=frozenset({"admin"}))))

Never give it to an application that others can reach.
"""

import json

from starlette.requests import HTTPConnection

from tilth.errors import Unauthenticated
from tilth.kernel.policy.actor import Actor

HEADER = "x-test-actor"


async def actor_reader(connection: HTTPConnection) -> Actor | None:
    """Reads the header that `acting` makes; None without it. Raises Unauthenticated if malformed."""
    text = connection.headers.get(HEADER)
    if text is None:
        return None
    try:
        given = json.loads(text)
        return Actor(
            id=given["id"],
            roles=frozenset(given["roles"]),
            tenant=given["tenant"],
            method="test",
            assurance=1,
        )
    except (ValueError, KeyError, TypeError) as exc:
        detail = f"The {HEADER} header is not one that tilth.testing.acting makes."
        raise Unauthenticated(detail, code="invalid_credentials") from exc


def acting(actor: Actor) -> dict[str, str]:
    """The header of a request made by this actor."""
    given = {"id": actor.id, "roles": sorted(actor.roles), "tenant": actor.tenant}
    return {HEADER: json.dumps(given)}
