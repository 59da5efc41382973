"""One request as the answers need it."""

from dataclasses import dataclass

from starlette.requests import Request

from tilth.feature import Backend
from tilth.features.api.service.readings import Reading
from tilth.kernel.plan.shape import ReadPlan
from tilth.kernel.plan.sight import Sight


@dataclass(frozen=True, slots=True)
class Ask:
    """plan: that of the reading, for one row with its key."""

    request: Request
    backend: Backend
    sight: Sight
    reading: Reading
    plan: ReadPlan
