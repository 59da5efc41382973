"""The OpenAPI document as one caller sees the application."""

from typing import Any

import orjson
from starlette.requests import Request

from tilth.feature import Backend
from tilth.features.api.service.answer import Answer
from tilth.features.api.service.conditional import CACHING, conditional
from tilth.features.api.service.etags import body_tag, strong
from tilth.features.api.service.media import JSON
from tilth.features.api.service.negotiate import negotiate
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Rights
from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.runtime.web.actor import actor_of

KEPT = 32
"""Documents remembered: one for each way the rules can come out, and few do."""


def description_for(backend: Backend, actor: Actor) -> dict[str, Any]:
    """Only what the actor may read and do is in it; the developer's own routes are in it whole."""
    # Its dozen modules are read when somebody asks, not whenever a process starts.
    from tilth.features.api.service.openapi.document import openapi_document

    sight = Sight(backend.schema, backend.rulebook, actor)
    nobody = Sight(backend.schema, backend.rulebook, ANONYMOUS)
    return openapi_document(
        sight,
        title=backend.title,
        version=backend.version,
        written=backend.user_document(),
        security_schemes=backend.schemes,
        anonymous=nobody,
        writable=backend.units is not None,
        conditional=backend.conditional,
    )


class Descriptions:
    """Answers /openapi.json."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._known: dict[tuple[Rights, ...], bytes] = {}

    async def answer(self, request: Request) -> Answer:
        negotiate(request.headers.get("accept"), (JSON,))
        actor = await actor_of(request, self.backend.readers)
        body = self._body(actor)
        headers = {"cache-control": CACHING, "vary": "Accept, Authorization"}
        return conditional(request, body, strong(body_tag(body)), headers)

    def _body(self, actor: Actor) -> bytes:
        rulebook = self.backend.rulebook
        # Actors who may read and change the same share their rights, which are kept for good.
        alike = tuple(rulebook.rights(name, actor) for name in self.backend.schema)
        if alike not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[alike] = orjson.dumps(description_for(self.backend, actor))
        return self._known[alike]
