"""Whether FastAPI has telemetry to write of an application."""

from __future__ import annotations

from time import monotonic

LOOKED_AT_SECONDS = 1.0


class Observed:
    """FastAPI asks the environment at every request, which costs more than all of Tilth's middleware:
    here it is asked once a second.
    """

    __slots__ = ("_app", "_is_observed", "_look_again")

    def __init__(self, app: object) -> None:
        self._app, self._look_again, self._is_observed = app, 0.0, True

    def __bool__(self) -> bool:
        if monotonic() >= self._look_again:
            self._look_again = monotonic() + LOOKED_AT_SECONDS
            telemetry = getattr(self._app, "_native_telemetry", None)
            self._is_observed = telemetry is None or telemetry.enabled()
        return self._is_observed
