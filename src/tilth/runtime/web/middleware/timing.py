"""Server-Timing: how long the answer took, and what of it."""

from time import perf_counter

from starlette.types import Scope

STATE_KEY = "tilth_timing"


class Timing:
    """Durations measured while one request is answered."""

    __slots__ = ("_parts", "_started")

    def __init__(self) -> None:
        self._started = perf_counter()
        self._parts: dict[str, float] = {}

    def add(self, name: str, milliseconds: float) -> None:
        """Count time under name, a token such as "db". Repeated names add up."""
        self._parts[name] = self._parts.get(name, 0.0) + milliseconds

    def header(self) -> bytes:
        """The header value up to now: `db;dur=1.2, total;dur=3.4`, in milliseconds."""
        total = (perf_counter() - self._started) * 1000
        parts = "".join(f"{name};dur={duration:.1f}, " for name, duration in self._parts.items())
        return f"{parts}total;dur={total:.1f}".encode()


def timing(scope: Scope) -> Timing:
    """The durations of this request, for a handler to add to: `timing(scope).add("db", 1.2)`.

    Only what is added before the response starts is sent.
    """
    found: Timing = scope.setdefault("state", {}).setdefault(STATE_KEY, Timing())
    return found


def timed(scope: Scope, durations: Timing) -> Timing:
    """These are the durations of this request from now on."""
    scope.setdefault("state", {})[STATE_KEY] = durations
    return durations
