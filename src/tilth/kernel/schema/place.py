"""Model → where its source is, as far as that can be known."""

import inspect
from pathlib import Path


def place_of(model: type) -> str | None:
    """ "models.py:12", relative to the working directory if below it; None for generated classes."""
    try:
        path = Path(inspect.getsourcefile(model) or "").resolve()
        _, line = inspect.getsourcelines(model)
    except (OSError, TypeError):
        return None
    here = Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{line}"
