"""The generated REST API, its description and its documentation page."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from tilth.feature import Backend, Feature
from tilth.features.api.routes import ApiRoute


def _routes(backend: Backend) -> Sequence[BaseRoute]:
    return [ApiRoute(backend)]


feature = Feature("api", routes=_routes)
