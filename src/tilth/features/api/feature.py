"""The generated REST API, its description and its documentation page."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from tilth.feature import Backend, Feature
from tilth.features.api.checks import shadow_findings
from tilth.features.api.pages import docs_routes
from tilth.features.api.routes import ApiRoute
from tilth.features.api.service.description import Descriptions
from tilth.features.api.service.idempotency import Once


def _routes(backend: Backend) -> Sequence[BaseRoute]:
    described = Route("/openapi.json", Descriptions(backend).answer, include_in_schema=False)
    return [described, *docs_routes(backend.title), ApiRoute(backend, Once())]


feature = Feature("api", routes=_routes, checks=shadow_findings)
