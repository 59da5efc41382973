"""One request as the answers need it."""

from dataclasses import dataclass

from starlette.requests import Request

from tilth.feature import Backend
from tilth.features.api.service.links import sent_path
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.sight import Sight


@dataclass(frozen=True, slots=True)
class Ask:
    """base: where the API is, as clients address it: "/api" behind any root path."""

    request: Request
    backend: Backend
    sight: Sight
    intent: Intent
    base: str

    @property
    def path(self) -> str:
        """The address asked for, without its query."""
        return sent_path(self.request.scope)
