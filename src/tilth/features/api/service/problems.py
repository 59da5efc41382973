"""A refusal → an outcome, so that it can be stored like any other answer."""

from __future__ import annotations

from tilth.errors import ProblemError
from tilth.features.api.service.outcome import Outcome
from tilth.runtime.web.problem import problem_response


def problem_outcome(error: ProblemError, request_id: str | None) -> Outcome:
    response = problem_response(error, request_id)
    return Outcome(response.status_code, dict(response.headers), bytes(response.body))
