"""One request as the answers need it."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request

from tilth.feature import Backend
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
        scope = self.request.scope
        raw: bytes | None = scope.get("raw_path")
        return raw.decode("ascii") if raw else quote(scope["path"])
